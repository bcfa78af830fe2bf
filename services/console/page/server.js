// Requests to the console.

/** A failed request, with a sentence for the viewer. */
export class Unanswered extends Error {}

async function answer(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Unanswered('The console does not answer. Is it still running?');
  }
  const said = await response.json().catch(() => ({}));
  if (!response.ok) throw new Unanswered(said.error ?? `The console answered ${response.status}.`);
  return said;
}

function address(path, fields) {
  const given = Object.entries(fields ?? {}).filter(([, value]) => value);
  return given.length > 0 ? `/api/${path}.json?${new URLSearchParams(given)}` : `/api/${path}.json`;
}

/** Fetches JSON. */
export function ask(path, fields) {
  return answer(address(path, fields), { headers: { Accept: 'application/json' } });
}

/** Replays an origin's dead letters. The token has its own header, because the browser fills in `Authorization`. */
export function replay(origin, token) {
  const headers = { 'Pulseline-Token': token };
  return answer(address('replay', { origin }), { method: 'POST', headers });
}
