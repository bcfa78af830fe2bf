// What the console is asked, and what it says when it cannot answer.

/** Why there is no answer, in a sentence for a person. */
export class Unanswered extends Error {}

async function answer(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Unanswered('The console does not answer: has it been stopped?');
  }
  const said = await response.json().catch(() => ({}));
  if (!response.ok) throw new Unanswered(said.error ?? `The console answered ${response.status}.`);
  return said;
}

function address(path, fields) {
  const given = Object.entries(fields ?? {}).filter(([, value]) => value);
  return given.length > 0 ? `/api/${path}.json?${new URLSearchParams(given)}` : `/api/${path}.json`;
}

/** Reads. */
export function ask(path, fields) {
  return answer(address(path, fields), { headers: { Accept: 'application/json' } });
}

/** Replays the dead letters of an origin. The token goes into a header of its own and nowhere else: the browser fills in `Authorization`. */
export function replay(origin, token) {
  const headers = { 'Pulseline-Token': token };
  return answer(address('replay', { origin }), { method: 'POST', headers });
}
