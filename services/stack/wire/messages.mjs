// PostgreSQL's wire protocol 3: splits frontend messages, builds backend messages.
// https://www.postgresql.org/docs/17/protocol-message-formats.html

const CODES = { ssl: 80877103, gss: 80877104, cancel: 80877102 };

/** Splits a byte stream into messages; the first one has no type byte. */
export class Cutter {
  #held = [];
  #size = 0;
  started = false;

  push(chunk) {
    this.#held.push(chunk);
    this.#size += chunk.length;
  }

  /** The next complete message as {type, bytes}, or undefined. */
  next() {
    const header = this.started ? 5 : 4;
    if (this.#size < header) return undefined;
    this.#joinUpTo(header);
    const length = this.#held[0].readInt32BE(header - 4) + (this.started ? 1 : 0);
    if (length < header) throw new Error(`message length ${length} is impossible`);
    if (this.#size < length) return undefined;
    this.#joinUpTo(length);
    const first = this.#held[0];
    const bytes = first.subarray(0, length);
    if (first.length === length) this.#held.shift();
    else this.#held[0] = first.subarray(length);
    this.#size -= length;
    return { type: this.started ? String.fromCharCode(bytes[0]) : "startup", bytes };
  }

  #joinUpTo(size) {
    if (this.#held[0].length >= size) return;
    this.#held = [Buffer.concat(this.#held)];
  }
}

/** The request of the first message: "ssl", "gss", "cancel", or the startup parameters. */
export function startup(bytes) {
  const code = bytes.readInt32BE(4);
  for (const [name, value] of Object.entries(CODES)) if (code === value) return { kind: name };
  const words = bytes.subarray(8).toString("utf8").split("\0");
  const parameters = {};
  for (let i = 0; i + 1 < words.length && words[i] !== ""; i += 2) parameters[words[i]] = words[i + 1];
  return { kind: "start", parameters };
}

/** A message from its type and the parts of its body. */
export function message(type, ...parts) {
  const body = Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(`${part}\0`) : part)));
  const head = Buffer.alloc(5);
  head.write(type, 0, "latin1");
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

export const int16 = (value) => { const b = Buffer.alloc(2); b.writeInt16BE(value); return b; };
export const int32 = (value) => { const b = Buffer.alloc(4); b.writeInt32BE(value); return b; };
export const query = (sql) => message("Q", sql);
export const sync = () => message("S");
export const closeStatement = (name) => message("C", Buffer.from("S"), name);
export const ready = (status) => message("Z", Buffer.from(status));

/** An ErrorResponse. */
export function failure(severity, code, text) {
  const field = (letter, value) => Buffer.from(`${letter}${value}\0`);
  return message("E", field("S", severity), field("V", severity), field("C", code), field("M", text), Buffer.from([0]));
}

/** Walks the backend messages in `bytes`: yields {type, bytes}. */
export function* replies(bytes) {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at + 5 <= all.length) {
    const end = at + 1 + all.readInt32BE(at + 1);
    yield { type: String.fromCharCode(all[at]), bytes: all.subarray(at, end) };
    at = end;
  }
}

/** The zero-terminated string at `from`, and where the next field starts. */
export function text(bytes, from) {
  const end = bytes.indexOf(0, from);
  return { value: bytes.toString("utf8", from, end), next: end + 1 };
}
