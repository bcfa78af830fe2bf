// Dead letters: filter, inspect, and replay them after a fix.

import { h, moment, number, replace, table } from './dom.js';
import { ask, replay } from './server.js';

// Kept in memory while the page is open.
let token = '';

const link = (origin) => `#letters/${encodeURIComponent(origin)}`;
const item = (letter) => (letter.item < 0 ? 'whole upload' : `reading ${letter.item}`);

function list({ letters, count }, opened) {
  const columns = [
    { name: 'when (UTC)', of: (letter) => moment(letter.created_at) },
    { name: 'reason', of: (letter) => h('span', { class: 'reason' }, letter.reason) },
    { name: 'stream', kind: 'wide', of: (letter) => letter.stream ?? '–' },
    { name: 'item', kind: 'wide whole', of: item },
    { name: 'detail', kind: 'words', of: (letter) => h('a', { href: link(letter.origin), 'data-key': `${letter.origin} ${letter.item}`,
      'aria-current': letter.origin === opened ? 'true' : null }, letter.detail, letter.resolution && ` [${letter.resolution}]`) },
  ];
  const shown = letters.length < count ? `${number(letters.length)} of ${number(count)} dead letters, newest first` : `${number(count)} dead letters, newest first`;
  const made = table(shown, columns, letters, 'No dead letters: every message was processed.');
  made.id = 'letters';
  made.dataset.count = count;
  return made;
}

function choice(id, label, values, chosen, changed) {
  const option = ([value, text]) => h('option', { value, selected: value === chosen }, text);
  return h('p', { class: 'field' }, h('label', { for: id }, label),
    h('select', { id, onchange: (event) => changed(event.target.value) }, [['', 'all'], ...values].map(option)));
}

/** Dead letters per value of a field. */
function values(kinds, field) {
  const counts = new Map();
  for (const kind of kinds) if (kind[field]) counts.set(kind[field], (counts.get(kind[field]) ?? 0) + kind.letters);
  return [...counts].sort().map(([value, count]) => [value, `${value} (${number(count)})`]);
}

function form(origin, done) {
  const said = h('p', { id: 'replayed', role: 'status' });
  const input = h('input', { id: 'token', type: 'password', autocomplete: 'off', required: true, spellcheck: 'false' });
  input.value = token;
  const button = h('button', { type: 'submit', id: 'replay' }, 'Replay');
  const send = async (event) => {
    event.preventDefault();
    token = input.value.trim();
    button.disabled = true;
    said.textContent = 'Replaying …';
    try {
      const { replayed } = await replay(origin, token);
      const stay = replayed.filter((one) => !one.done);
      said.textContent = replayed.length === 0 ? 'Nothing left to replay.'
        : stay.length === 0 ? `Done: ${replayed[0].said}.` : `Still a dead letter: ${stay[0].said}.`;
      said.dataset.done = stay.length === 0;
      done();
    } catch (error) {
      said.textContent = `Not replayed: ${error.message}`;
    } finally {
      button.disabled = false;
    }
  };
  return h('form', { class: 'replay', onsubmit: send },
    h('p', { class: 'field' }, h('label', { for: 'token' }, 'Token'), input), button, said);
}

function off() {
  return h('p', { class: 'note', id: 'replay-off' }, 'Replay is disabled. To enable it, set ', h('code', null, 'console.token'),
    ' (PULSELINE__CONSOLE__TOKEN) to a secret of at least 16 characters and restart the console.');
}

function opened(origin, letters, canReplay, done) {
  const open = letters.some(({ letter }) => letter.resolved_at === null);
  return h('article', { class: 'opened', id: 'opened', 'aria-labelledby': 'opened-title', tabindex: '-1' },
    h('h3', { id: 'opened-title' }, 'Dead letter'),
    letters.length === 0 && h('p', { class: 'note' }, 'This dead letter does not exist.'),
    letters.map(({ shown }) => h('pre', { tabindex: '0', 'aria-label': 'Dead letter with its bytes' }, shown)),
    open && h('p', null, 'Replay processes it once more: a document is loaded again, a message is sent to its topic again.'),
    open && (canReplay ? form(origin, done) : off()),
    h('p', null, h('a', { href: '#letters' }, 'Close')));
}

/** The view. */
export function letters(main) {
  const chosen = { reason: '', stream: '', all: '' };
  const [filters, place, detail] = [h('div', { class: 'filters' }), h('div'), h('div')];
  let [origin, canReplay, known] = [null, false, null];
  replace(main, h('section', { 'aria-labelledby': 'letters-title' },
    h('h2', { id: 'letters-title' }, 'Dead letters'),
    h('p', { class: 'lead' }, 'Data that could not be processed. Each dead letter keeps its bytes, its origin and the reason.'),
    filters, detail, place));
  const change = (field) => (value) => { chosen[field] = value; read(); };
  async function read() {
    const found = await ask('letters', chosen);
    replace(filters,
      choice('reason', 'Reason', values(found.kinds, 'reason'), chosen.reason, change('reason')),
      choice('stream', 'Stream', values(found.kinds, 'stream'), chosen.stream, change('stream')),
      h('p', { class: 'field check' }, h('input', { id: 'all', type: 'checkbox', checked: chosen.all !== '',
        onchange: (event) => change('all')(event.target.checked ? '1' : '') }), h('label', { for: 'all' }, 'include resolved')));
    replace(place, list(found, origin));
  }
  async function open() {
    if (origin === null) {
      replace(detail);
      return;
    }
    const wanted = origin;
    const found = await ask('letter', { origin: wanted });
    if (wanted !== origin) return;
    replace(detail, opened(wanted, found.letters, canReplay, read));
    document.getElementById('opened').focus();
  }
  return {
    route([wanted]) {
      origin = wanted ?? null;
      known = null;
    },
    /** Reads the dead letters again only when their number has changed. */
    async refresh(overview) {
      canReplay = overview.can_replay;
      const now = overview.status.dead_letters;
      if (known === now) return;
      const isNew = known === null;
      await read();
      if (isNew) await open();
      known = now;
    },
  };
}
