// Requests to the console.

/** A failed request, with a sentence for the viewer. */
export class Unanswered extends Error {}

/** A request of a view that the viewer left. */
export class Left extends Unanswered {}

let view = new AbortController();

/** Ends the requests of the view, so that the console cancels their statements. */
export function leave() {
  view.abort();
  view = new AbortController();
}

async function answer(path, options) {
  let response;
  let said;
  try {
    response = await fetch(path, options);
    said = await response.json().catch(() => ({}));
  } catch {
    if (!options.signal?.aborted) throw new Unanswered('The console does not answer. Is it still running?');
  }
  if (options.signal?.aborted) throw new Left('The view was left.');
  if (!response.ok) throw new Unanswered(said.error ?? `The console answered ${response.status}.`);
  return said;
}

function address(path, fields) {
  const given = Object.entries(fields ?? {}).filter(([, value]) => value);
  return given.length > 0 ? `/api/${path}.json?${new URLSearchParams(given)}` : `/api/${path}.json`;
}

const JSON_ONLY = { Accept: 'application/json' };

/** Fetches JSON for the view that is shown. */
export function ask(path, fields) {
  return answer(address(path, fields), { headers: JSON_ONLY, signal: view.signal });
}

/** Fetches what stands above every view. */
export function status() {
  return answer(address('status'), { headers: JSON_ONLY });
}

/** Replays an origin's dead letters. The token has its own header, because the browser fills in `Authorization`. */
export function replay(origin, token) {
  const headers = { 'Pulseline-Token': token };
  return answer(address('replay', { origin }), { method: 'POST', headers });
}
