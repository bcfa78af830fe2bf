// One connection: collects complete protocol units, runs each in the session, and answers.

import { Cutter, failure, int32, message, query, ready, startup, sync, text } from "./messages.mjs";
import { copyData, copyResponse, parseCopy } from "./copy.mjs";
import { rename, sessionName } from "./names.mjs";

const PARAMETERS = {
  server_version: "17.5", server_encoding: "UTF8", client_encoding: "UTF8", DateStyle: "ISO, MDY", TimeZone: "GMT",
  integer_datetimes: "on", standard_conforming_strings: "on", IntervalStyle: "postgres", is_superuser: "on",
};
// Startup parameters that a client may set for its own session; others stay with the server.
const STARTUP_SETTINGS = ["search_path", "TimeZone", "timezone", "DateStyle", "extra_float_digits", "statement_timeout"];
const SET = /^\s*set\s+(?:session\s+)?(?!local\b|role\b|transaction\b|session\b|constraints\b)([\w.]+|time\s+zone)\s*(?:=|\bto\b|\s)/i;
// Replaces a native server's timers: PGlite has no signals.
const SILENCE = /\bset\s+local\s+idle_in_transaction_session_timeout\s*(?:=|\bto\b)\s*'?(\d+)(ms|s|min)?\b/i;
const UNITS = { ms: 1, s: 1000, min: 60000 };
// Time for a client to read why its session ends before its connection is closed.
const FAREWELL_MS = 250;
const ROLE = /^\s*(?:set\s+(?:session\s+|local\s+)?(?:role|session\s+authorization)|reset\s+(?:role|session\s+authorization))\b/i;

export class Client {
  settings = new Map();
  role = null;
  #id; #socket; #session; #options; #cutter = new Cutter();
  #unit = []; #copy = null; #copySql = new Map(); #statements = new Set(); #idle; #silence = null; #busy = Promise.resolve(); #gone = false;

  constructor(id, socket, session, options) {
    this.#id = id; this.#socket = socket; this.#session = session; this.#options = options;
    socket.on("data", (chunk) => { this.#cutter.push(chunk); socket.pause(); this.#busy = this.#busy.then(() => this.#drain()).catch((error) => this.#fail(error)); });
    socket.on("error", () => {});
    socket.on("close", () => this.#leave());
  }

  async #drain() {
    for (let next = this.#cutter.next(); next && !this.#gone; next = this.#cutter.next()) await this.#take(next);
    this.#socket.resume();
  }

  #fail(error) {
    process.stderr.write(`client ${this.#id}: ${error.stack}\n`);
    this.#socket.end(failure("FATAL", "XX000", error.message));
  }

  #send(...parts) {
    return this.#sendAll(parts);
  }

  /** Takes a list, because a large result exceeds the limit of call arguments. */
  #sendAll(parts) {
    if (this.#gone) return undefined;
    const flushed = this.#socket.write(parts.length === 1 ? parts[0] : Buffer.concat(parts));
    if (flushed) return undefined;
    return new Promise((resolve) => { this.#socket.once("drain", resolve); this.#socket.once("close", resolve); });
  }

  async #take({ type, bytes }) {
    if (type === "startup") return this.#start(bytes);
    if (this.#copy) return this.#takeCopy(type, bytes);
    if (type === "X") return void this.#socket.end();
    if (type === "Q") return this.#simple(text(bytes, 5).value, bytes);
    if (type === "d" || type === "c" || type === "f") return undefined;
    this.#unit.push({ type, bytes });
    if (type === "S" || type === "H") {
      const unit = this.#unit;
      this.#unit = [];
      return this.#extended(unit);
    }
    return undefined;
  }

  async #start(bytes) {
    const asked = startup(bytes);
    if (asked.kind === "cancel") return void this.#socket.end();
    if (asked.kind !== "start") return this.#send(Buffer.from("N"));
    const { user = "postgres" } = asked.parameters;
    if (user !== "postgres") {
      const known = await this.#ask(`select 1 from pg_roles where rolname = '${user.replaceAll("'", "''")}'`);
      if (!known) return void this.#socket.end(failure("FATAL", "28000", `role "${user}" does not exist`));
      this.role = `"${user.replaceAll('"', '""')}"`;
    }
    for (const name of STARTUP_SETTINGS) {
      const value = asked.parameters[name];
      if (value && PARAMETERS[name] !== value) this.settings.set(name.toLowerCase(), `set ${name} to '${value.replaceAll("'", "''")}'`);
    }
    this.#cutter.started = true;
    const shown = { ...PARAMETERS, is_superuser: this.role ? "off" : "on", session_authorization: user, application_name: asked.parameters.application_name ?? "" };
    const statuses = Object.entries(shown).map(([name, value]) => message("S", name, value));
    return this.#send(message("R", int32(0)), ...statuses, message("K", int32(this.#id), int32(0)), ready("I"));
  }

  async #ask(sql) {
    let found = false;
    await this.#session.run({ settings: new Map(), role: null }, async (session) => {
      found = (await session.exec(query(sql))).some((reply) => reply.type === "D");
      return "I";
    });
    return found;
  }

  async #simple(sql, bytes) {
    if (this.#refused(sql)) return this.#send(this.#refused(sql), ready("I"));
    const copy = parseCopy(sql);
    if (copy?.incoming) {
      this.#copy = { ...copy, chunks: [], extended: false };
      return this.#send(copyResponse(copy));
    }
    const out = [];
    const status = await this.#run(async (session) => {
      if (copy) return this.#copyOut(session, copy, out, true);
      return collect(await session.exec(bytes), out);
    });
    this.#remember(sql, out);
    const silence = SILENCE.exec(sql);
    if (silence && status !== "I") this.#silence = Number(silence[1]) * UNITS[silence[2]?.toLowerCase() ?? "ms"];
    this.#watchIdle(status);
    return this.#sendAll(out);
  }

  #run(unit) {
    this.#stopWatch();
    return this.#session.run(this, unit);
  }

  #refused(sql) {
    return this.role && ROLE.test(sql) ? failure("ERROR", "42501", "permission denied: the role is that of the connection") : undefined;
  }

  #remember(sql, out) {
    if (out.some((bytes) => bytes[0] === 0x45)) return;
    for (const statement of sql.split(";")) {
      const set = SET.exec(statement);
      if (set) this.settings.set(set[1].toLowerCase().replace(/\s+/g, " "), statement);
    }
  }

  async #extended(unit) {
    const out = [];
    const status = await this.#run(async (session) => {
      let state = "T";
      let failed = false;
      for (const { type, bytes } of unit) {
        if (type === "S") { state = collect(await session.exec(sync()), out); break; }
        if (type === "H" || failed) continue;
        const copy = this.#copyAt(type, bytes);
        if (copy?.incoming) { this.#copy = { ...copy, chunks: [], extended: true }; out.push(copyResponse(copy)); return this.#session.isHeldBy(this) ? "T" : "I"; }
        if (copy) { state = await this.#copyOut(session, copy, out, false); continue; }
        failed = await this.#forward(session, type, bytes, out);
      }
      return state;
    });
    this.#watchIdle(status);
    return out.length ? this.#sendAll(out) : undefined;
  }

  /** Forwards one message; true when it failed (the protocol skips the rest up to Sync). */
  async #forward(session, type, bytes, out) {
    const { bytes: renamed, before } = rename(this.#id, type, bytes);
    if (type === "P") {
      const name = text(bytes, 5);
      const sql = text(bytes, name.next).value;
      const refused = this.#refused(sql);
      if (refused) { out.push(refused); return true; }
      this.#statements.add(sessionName(this.#id, name.value));
      const copy = parseCopy(sql);
      if (copy) this.#copySql.set(name.value, copy);
      else this.#copySql.delete(name.value);
      if (before) await session.exec(before);
    }
    const answers = (await session.exec(renamed)).filter((reply) => reply.type !== "Z");
    for (const reply of answers) out.push(reply.bytes);
    return answers.some((reply) => reply.type === "E");
  }

  #bound = null;

  /** The COPY that this Execute would run; a Bind of a COPY is remembered and forwarded. */
  #copyAt(type, bytes) {
    if (type === "B") {
      const statement = text(bytes, text(bytes, 5).next).value;
      this.#bound = this.#copySql.get(statement) ?? null;
    }
    return type === "E" ? this.#bound : undefined;
  }

  async #copyOut(session, copy, out, simple) {
    const { answers, written } = await session.copy(this, copy, undefined);
    if (!answers.some((reply) => reply.type === "E")) {
      out.push(copyResponse(copy));
      for (const data of copyData(written, copy.binary)) out.push(data);
      out.push(message("c"));
    }
    return collect(answers, out, simple);
  }

  async #takeCopy(type, bytes) {
    const copy = this.#copy;
    if (type === "d") {
      copy.chunks.push(bytes.subarray(5));
      // Incoming rows reset the idle timer.
      this.#idle?.refresh();
      return undefined;
    }
    if (type === "S" || type === "H") return undefined;
    this.#copy = null;
    const out = [];
    const status = await this.#run(async (session) => {
      if (type === "c") return collect((await session.copy(this, copy, copy.chunks)).answers, out, !copy.extended);
      const reason = type === "f" ? text(bytes, 5).value : `unexpected message ${type}`;
      out.push(failure("ERROR", "57014", `COPY from stdin failed: ${reason}`));
      // A failed COPY aborts its transaction on a native server; a failing statement does the same here.
      const state = collect(await session.exec(query("do $$ begin raise exception 'copy failed'; end $$")), []);
      if (!copy.extended) out.push(ready(state));
      return state;
    });
    this.#watchIdle(status);
    return this.#sendAll(out);
  }

  #stopWatch() {
    clearTimeout(this.#idle);
    this.#idle = undefined;
  }

  #watchIdle(status) {
    this.#stopWatch();
    if (status === "I") this.#silence = null;
    if (status === "I" || this.#gone) return;
    const idleMs = Math.min(this.#silence || Infinity, this.#options.idleMs);
    this.#idle = setTimeout(() => {
      this.#socket.end(failure("FATAL", "25P03", `idle in transaction for over ${idleMs} ms`));
      // A frozen client never closes its side and would block the session for all others.
      setTimeout(() => this.#socket.destroy(), FAREWELL_MS);
    }, idleMs);
  }

  async #leave() {
    this.#gone = true;
    this.#stopWatch();
    await this.#busy;
    const close = [...this.#statements].map((name) => message("C", Buffer.from("S"), name));
    await this.#session.run(this, async (session) => {
      await session.exec(query("rollback"));
      for (const bytes of close) await session.exec(bytes);
      await session.exec(sync());
      return "I";
    });
    this.#session.forget(this);
  }
}

/** Appends replies to `out`, including ReadyForQuery by default; returns the transaction status. */
function collect(answers, out, keepReady = true) {
  let status = "I";
  for (const reply of answers) {
    if (reply.type === "Z") status = String.fromCharCode(reply.bytes[5]);
    if (reply.type !== "Z" || keepReady) out.push(reply.bytes);
  }
  return status;
}
