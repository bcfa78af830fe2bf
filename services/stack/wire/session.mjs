// PGlite is ONE session: protocol units take turns; a transaction holds the session until it ends.

import { query, replies } from "./messages.mjs";
import { blobOf } from "./copy.mjs";

// PGlite's own initial values, which RESET would not restore to these.
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
  }

  /** Resets the session to every client's initial values. */
  async begin() {
    for (const statement of BASE.values()) await this.exec(query(statement));
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
      if (this.#owner === null) await this.#handOver(entry.client);
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

  async #handOver(client) {
    if (this.#last === client) return;
    const left = this.#last;
    this.#last = client;
    if (left?.role) await this.exec(query("reset role"));
    for (const name of left?.settings.keys() ?? []) await this.exec(query(BASE.get(name) ?? `reset ${name}`));
    for (const statement of client.settings.values()) await this.exec(query(statement));
    if (client.role) await this.exec(query(`set role ${client.role}`));
  }

  /** Removes a disconnected client, so that no later one inherits its settings. */
  forget(client) {
    this.#waiting = this.#waiting.filter((entry) => entry.client !== client);
    if (this.#owner === client) this.#owner = null;
    setImmediate(() => this.#next());
  }

  /** Passes bytes to PGlite; returns its replies, split. */
  async exec(bytes) {
    // Not the raw call, which keeps every message that it ever parsed. A copy: the next answer is written over this one.
    const { data } = await this.#database.execProtocol(bytes, { syncToFs: false, throwOnError: false });
    return [...replies(Uint8Array.from(data))];
  }

  /** Runs a COPY with `chunks` as /dev/blob; returns {answers, written}. */
  async copy(client, copy, chunks) {
    const refused = client.role && (await this.#lend(client, copy));
    if (refused) return { answers: refused, written: Buffer.alloc(0) };
    await this.#database._handleBlob(chunks ? blobOf(chunks) : undefined);
    try {
      const answers = await this.exec(query(copy.sql));
      const written = await this.#database._getWrittenBlob();
      return { answers, written: written ? Buffer.from(await written.arrayBuffer()) : Buffer.alloc(0) };
    } finally {
      await this.#database._cleanupBlob();
      if (client.role) await this.#takeBack(client, copy);
    }
  }

  /**
   * Lends a role what /dev/blob needs for one COPY: into a hypertable the whole superuser, after asking whether the
   * role may insert; out, the right to files. In a transaction that fails the loan is rolled back with the rest.
   */
  async #lend(client, copy) {
    if (copy.incoming) {
      const asked = await this.exec(query(`do $$ begin lock table ${copy.table} in row exclusive mode; end $$`));
      if (asked.some((reply) => reply.type === "E")) return asked;
    }
    await this.exec(query("reset role"));
    if (copy.incoming) return undefined;
    await this.exec(query(`grant pg_write_server_files to ${client.role}`));
    await this.exec(query(`set role ${client.role}`));
    return undefined;
  }

  async #takeBack(client, copy) {
    if (!copy.incoming) {
      await this.exec(query("reset role"));
      await this.exec(query(`revoke pg_write_server_files from ${client.role}`));
    }
    await this.exec(query(`set role ${client.role}`));
  }
}
