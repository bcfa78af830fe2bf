// PGlite is ONE session: whole protocol units take turns, a transaction keeps the session until it ends.

import { query, replies } from "./messages.mjs";
import { blobOf } from "./copy.mjs";

// PGlite starts its session with values of its own, so that RESET does not lead back to these.
const BASE = new Map([
  ["search_path", `set search_path to "$user", public`],
  ["client_min_messages", "set client_min_messages to notice"],
  ["log_min_messages", "set log_min_messages to warning"],
]);

export class Session {
  #database;
  #owner = null;
  #waiting = [];
  #running = false;
  #last = null;

  constructor(database) {
    this.#database = database;
    for (const statement of BASE.values()) this.exec(query(statement));
  }

  /** Runs `unit` when it is `client`'s turn; `unit` returns the transaction status it ended with. */
  run(client, unit) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ client, unit, resolve, reject });
      this.#next();
    });
  }

  /** True while `client` is inside a transaction. */
  isHeldBy(client) {
    return this.#owner === client;
  }

  async #next() {
    if (this.#running) return;
    const index = this.#waiting.findIndex((entry) => this.#owner === null || this.#owner === entry.client);
    if (index < 0) return;
    const [entry] = this.#waiting.splice(index, 1);
    this.#running = true;
    try {
      if (this.#owner === null) this.#handOver(entry.client);
      const status = await entry.unit(this);
      this.#owner = status === "I" ? null : entry.client;
      entry.resolve(status);
    } catch (error) {
      this.#owner = null;
      entry.reject(error);
    } finally {
      this.#running = false;
      setImmediate(() => this.#next());
    }
  }

  #handOver(client) {
    if (this.#last === client) return;
    const left = this.#last;
    this.#last = client;
    if (left?.role) this.exec(query("reset role"));
    for (const name of left?.settings.keys() ?? []) this.exec(query(BASE.get(name) ?? `reset ${name}`));
    for (const statement of client.settings.values()) this.exec(query(statement));
    if (client.role) this.exec(query(`set role ${client.role}`));
  }

  /** Forgets a client that left, so that a later one never inherits its settings. */
  forget(client) {
    this.#waiting = this.#waiting.filter((entry) => entry.client !== client);
    if (this.#owner === client) this.#owner = null;
    setImmediate(() => this.#next());
  }

  /** Hands bytes to PGlite; returns its replies, cut. */
  exec(bytes) {
    // A copy: PGlite writes its next answer over this one.
    return [...replies(Uint8Array.from(this.#database.execProtocolRawSync(bytes)))];
  }

  /** Runs a COPY statement with `chunks` as /dev/blob; returns {answers, written}. */
  async copy(client, sql, chunks) {
    // Reading /dev/blob needs a superuser: the role is lent the right for this statement alone.
    const lend = client.role && this.#owner === null;
    if (lend) this.#asSuperuser(client, `grant pg_read_server_files, pg_write_server_files to ${client.role}`);
    await this.#database._handleBlob(chunks ? blobOf(chunks) : undefined);
    try {
      const answers = this.exec(query(sql));
      const written = await this.#database._getWrittenBlob();
      return { answers, written: written ? Buffer.from(await written.arrayBuffer()) : Buffer.alloc(0) };
    } finally {
      await this.#database._cleanupBlob();
      if (lend) this.#asSuperuser(client, `revoke pg_read_server_files, pg_write_server_files from ${client.role}`);
    }
  }

  #asSuperuser(client, statement) {
    this.exec(query("reset role"));
    this.exec(query(statement));
    this.exec(query(`set role ${client.role}`));
  }
}
