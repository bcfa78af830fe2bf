// COPY between a client and PGlite: its raw COPY FROM STDIN crashes it, its /dev/blob does not.

import { int16, message } from "./messages.mjs";

const COMMENT = /^(?:\s|--[^\n]*\n|\/\*[\s\S]*?\*\/)*/;
const COPY = /^copy\b([\s\S]*?)\b(from\s+stdin|to\s+stdout)\b([\s\S]*)$/i;

/** Parses a COPY statement from or to the client; undefined for anything else. */
export function parseCopy(sql) {
  const found = COPY.exec(sql.replace(COMMENT, ""));
  if (!found) return undefined;
  const [, subject, way, options] = found;
  const incoming = /^from/i.test(way);
  const columns = /\(([^()]*)\)\s*$/.exec(subject);
  return {
    incoming,
    binary: /\bbinary\b/i.test(options),
    columns: columns && incoming ? columns[1].split(",").length : 0,
    table: incoming ? subject.replace(/\([^()]*\)\s*$/, "").trim() : undefined,
    sql: `copy ${subject} ${incoming ? "from" : "to"} '/dev/blob' ${options}`,
  };
}

/** CopyInResponse or CopyOutResponse. */
export function copyResponse(copy) {
  const format = copy.binary ? 1 : 0;
  const columns = Array.from({ length: copy.columns }, () => int16(format));
  return message(copy.incoming ? "G" : "H", Buffer.from([format]), int16(copy.columns), ...columns);
}

/** A Blob for PGlite: a Node Blob is not freed in a tight loop. */
export function blobOf(chunks) {
  const whole = Buffer.concat(chunks);
  const exact = whole.buffer.slice(whole.byteOffset, whole.byteOffset + whole.length);
  return { size: whole.length, arrayBuffer: async () => exact };
}

/** CopyData messages of a COPY TO: one per row, as on a native server. */
export function* copyData(bytes, binary) {
  let at = 0;
  if (binary) {
    at = 19 + bytes.readInt32BE(15);
    yield message("d", bytes.subarray(0, at));
  }
  while (at < bytes.length) {
    const end = binary ? tupleEnd(bytes, at) : lineEnd(bytes, at);
    yield message("d", bytes.subarray(at, end));
    at = end;
  }
}

function lineEnd(bytes, at) {
  const found = bytes.indexOf(0x0a, at);
  return found < 0 ? bytes.length : found + 1;
}

function tupleEnd(bytes, at) {
  let fields = bytes.readInt16BE(at);
  let end = at + 2;
  for (; fields > 0; fields -= 1) end += 4 + Math.max(0, bytes.readInt32BE(end));
  return end;
}
