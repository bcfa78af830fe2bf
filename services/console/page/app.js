// The frame: headline, routing and polling.

import { accounting } from './accounting.js';
import { compactor } from './compactor.js';
import { clock, h } from './dom.js';
import { flow } from './flow.js';
import { letters } from './dead_letters.js';
import { person } from './person.js';
import { Left, Unanswered, leave, status } from './server.js';

const root = document.documentElement;
// For tests; errors appear in the browser's console too.
const note = (error) => { root.dataset.error = `${root.dataset.error ?? ''}${error}\n`; };
addEventListener('error', (event) => note(event.message));
addEventListener('unhandledrejection', (event) => { if (!(event.reason instanceof Left)) note(event.reason); });
document.addEventListener('securitypolicyviolation', (event) => note(`${event.violatedDirective} ${event.blockedURI}`));

const POLL_MS = 2000;
const VIEWS = { flow, accounting, letters, compactor, person };
const MARKS = {
  good: 'M11 21l6 6 12-14',
  moving: 'M11 20h17M21 13l7 7-7 7',
  bad: 'M20 10v13M20 29h.1',
  away: 'M13 13l14 14M27 13L13 27',
};

const at = (id) => document.getElementById(id);
const say = (element, text) => { if (element.textContent !== text) element.textContent = text; };

let current = null;
let overview = null;
let running = null;

function headline({ state, text, detail }) {
  at('headline').dataset.state = state;
  at('mark').setAttribute('d', MARKS[state]);
  // Set only on change, because screen readers announce it.
  say(at('sentence'), text);
  say(at('detail'), detail);
  document.title = state === 'good' ? 'Pulseline' : `${text} · Pulseline`;
}

/** `#letters/mongo%3Asteps%2F1` is the view `letters` with one argument. */
function route() {
  const [name, ...rest] = location.hash.slice(1).split('/');
  try {
    return { name: Object.hasOwn(VIEWS, name) ? name : 'flow', rest: rest.map((part) => decodeURIComponent(part)) };
  } catch {
    // The address is truncated.
    return { name: 'flow', rest: [] };
  }
}

function show() {
  leave();
  running = null;
  const { name, rest } = route();
  for (const link of at('views').querySelectorAll('a')) {
    if (link.hash === `#${name}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  if (current?.name !== name) {
    current = { name, view: VIEWS[name](at('main')) };
    root.dataset.view = name;
  }
  current.view.route?.(rest);
  if (overview) refresh();
}

/** One refresh at a time: a poll that comes meanwhile waits for it, and asks nothing again. */
function refresh() {
  if (!running) {
    const mine = refreshed().finally(() => { if (running === mine) running = null; });
    running = mine;
  }
  return running;
}

/** A view that cannot be refreshed says so in its own place; any other exception is a bug of the page. */
async function refreshed() {
  const shown = current;
  try {
    await shown.view.refresh(overview);
    at('trouble')?.remove();
  } catch (error) {
    if (!(error instanceof Unanswered)) throw error;
    if (error instanceof Left || shown !== current) return;
    at('trouble')?.remove();
    at('main').prepend(h('p', { id: 'trouble', class: 'note', role: 'status' }, `Not up to date: ${error.message}`));
  }
}

async function poll() {
  try {
    overview = await status();
    headline(overview.headline);
    say(at('seen'), `updated at ${clock(overview.at)}`);
    say(at('version'), `Pulseline ${overview.version}`);
    root.dataset.at = overview.at;
  } catch (error) {
    if (!(error instanceof Unanswered)) throw error;
    headline({ state: 'away', text: 'No status available', detail: error.message });
  }
  if (overview && current) await refresh();
  root.dataset.ready = current?.name ?? '';
}

async function run() {
  for (;;) {
    // A hidden page does not poll.
    if (!document.hidden) await poll().catch(note);
    await new Promise((resolve) => { setTimeout(resolve, POLL_MS); });
  }
}

at('skip').addEventListener('click', (event) => {
  event.preventDefault();
  at('main').focus();
});
addEventListener('hashchange', show);
show();
run();
