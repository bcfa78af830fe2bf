// Prepared statements of all clients share one session: each name gets its client's prefix.

import { closeStatement, message, text } from "./messages.mjs";

/** The session's name of `client`'s statement. */
export const sessionName = (client, name) => `w${client}_${name}`;

/**
 * Rewrites one extended-protocol message for the session.
 * Returns {bytes, before?}: `before` is run first and its replies are dropped.
 */
export function rename(client, type, bytes) {
  if (type === "P") {
    const name = text(bytes, 5);
    const known = sessionName(client, name.value);
    const renamed = message("P", known, bytes.subarray(name.next));
    // Each Parse replaces the unnamed statement; a named one needs a Close first.
    return name.value === "" ? { bytes: renamed, before: closeStatement(known) } : { bytes: renamed };
  }
  if (type === "B") {
    const portal = text(bytes, 5);
    const statement = text(bytes, portal.next);
    return { bytes: message("B", portal.value, sessionName(client, statement.value), bytes.subarray(statement.next)) };
  }
  if ((type === "D" || type === "C") && bytes[5] === 0x53) {
    const name = text(bytes, 6);
    return { bytes: message(type, Buffer.from("S"), sessionName(client, name.value)) };
  }
  return { bytes };
}
