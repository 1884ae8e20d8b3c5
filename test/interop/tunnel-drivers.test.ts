import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { AbstractConnector, Redis } from "ioredis";
import { createPool } from "mysql2/promise";
import { Client } from "ssh2";
import { type OpenTunnel, tunnel } from "../../src/index.js";
import { type Office, startOffice } from "./peers/office.js";
import { Program } from "./peers/program.js";

/** Drivers that people have already, and the servers that they are for, which live behind wireguard-go. */
let office: Office;
let inside: OpenTunnel;
let folder: string;
const host = "intranet.office.test";

before(async () => {
  office = await startOffice("drivers");
  inside = await tunnel(office.conf);
  folder = mkdtempSync(join(tmpdir(), "sealport-drivers-"));
  chmodSync(folder, 0o755);
});
after(async () => {
  await inside.close({ drainMs: 1_000 });
  await office[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

test("mysql2 talks to a MariaDB behind the tunnel, over several connections", async () => {
  const data = join(folder, "mariadb");
  mkdirSync(data);
  execFileSync("chown", ["mysql", data]);
  const common = ["--no-defaults", `--datadir=${data}`, "--user=mysql"];
  const install = ["--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-log-file-size=8M"];
  execFileSync("mariadb-install-db", [...common, ...install], { stdio: "pipe" });
  await using server = office.peer.inside(
    "mariadbd",
    "mariadbd",
    ...common,
    `--socket=${data}/socket`,
    "--bind-address=10.99.0.1",
    "--port=3306",
    "--skip-grant-tables",
    "--innodb-log-file-size=8M",
    "--innodb-flush-log-at-trx-commit=0",
  );
  await server.says(/ready for connections/);
  const pool = createPool({
    host,
    user: "root",
    connectionLimit: 3,
    stream: () => inside.connect({ host, port: 3306 }),
  });
  const big = "x".repeat(500_000);
  await pool.query("create database office");
  const rows = await Promise.all(
    Array.from({ length: 9 }, async (_, i) => (await pool.execute("select ? as i, length(?) as l", [i, big]))[0]),
  );
  assert.deepEqual(JSON.parse(JSON.stringify(rows[8])), [{ i: 8, l: 500_000 }]);
  const [many] = await pool.query("select seq from office.seq_1_to_20000");
  assert.equal((many as unknown[]).length, 20_000);
  await pool.end();
});

test("ioredis talks to a Redis behind the tunnel, and connects again when it is hung up on", async () => {
  await using server = office.peer.inside(
    "redis-server",
    "redis-server",
    ...["--bind", "10.99.0.1", "--port", "6379", "--protected-mode", "no", "--save", "", "--dir", folder],
  );
  await server.says(/Ready to accept connections/);
  class Inside extends AbstractConnector {
    constructor() {
      super(1_000);
    }
    override async connect() {
      const socket = inside.connect({ host, port: 6379 });
      this.stream = socket as never;
      return socket as never;
    }
  }
  const redis = new Redis({ Connector: Inside as never });
  // A reset is told to whoever listens, and connected again after.
  redis.on("error", () => {});
  const pipeline = redis.pipeline();
  for (let i = 0; i < 5_000; i++) pipeline.set(`key ${i}`, `value ${i}`);
  await pipeline.exec();
  assert.equal(await redis.get("key 4999"), "value 4999");
  const big = "y".repeat(1_000_000);
  await redis.set("big", big);
  assert.equal(await redis.get("big"), big);
  const listener = redis.duplicate();
  const heard = new Promise((resolve) => listener.on("message", (_, text) => resolve(text)));
  await listener.subscribe("news");
  await redis.publish("news", "hello");
  assert.equal(await heard, "hello");
  // The server hangs up on everybody; the next command goes over a new connection.
  await redis.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no").catch(() => {});
  assert.equal(await redis.get("key 1"), "value 1");
  listener.disconnect();
  await redis.quit();
});

test("ssh2 runs commands and moves a file by an sshd behind the tunnel", async () => {
  const ssh = (name: string): string => join(folder, name);
  for (const key of ["host", "user"]) {
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", ssh(key)]);
  }
  writeFileSync(
    ssh("sshd_config"),
    `HostKey ${ssh("host")}
ListenAddress 10.99.0.1:22
AuthorizedKeysFile ${ssh("user.pub")}
StrictModes no
UsePAM no
PermitRootLogin yes
PidFile none
ClientAliveInterval 2
Subsystem sftp internal-sftp
`,
  );
  mkdirSync("/run/sshd", { recursive: true });
  await using server = office.peer.inside("sshd", "/usr/sbin/sshd", "-D", "-e", "-f", ssh("sshd_config"));
  await server.says(/Server listening/);
  const client = new Client();
  await new Promise<void>((resolve, reject) => {
    client.once("ready", resolve).once("error", reject);
    client.connect({
      sock: inside.connect({ host, port: 22 }),
      username: "root",
      privateKey: readFileSync(ssh("user")),
    });
  });
  const bytes = Buffer.alloc(8 << 20, "a line of a file\n");
  const digest = createHash("sha256").update(bytes).digest("hex");
  const said = await new Promise<string>((resolve, reject) => {
    client.exec("sha256sum", (error, channel) => {
      if (error !== undefined) return void reject(error);
      let text = "";
      channel.on("data", (chunk: Buffer) => (text += chunk.toString())).on("close", () => resolve(text));
      channel.end(bytes);
    });
  });
  assert.equal(said.split(" ")[0], digest);
  writeFileSync(ssh("file"), bytes);
  const copy = await new Promise<Buffer>((resolve, reject) => {
    client.sftp((error, sftp) => {
      if (error !== undefined) return void reject(error);
      sftp.readFile(ssh("file"), (failed, content) => (failed ? reject(failed) : resolve(content)));
    });
  });
  assert.equal(createHash("sha256").update(copy).digest("hex"), digest);
  const closed = once(client, "close");
  client.end();
  await closed;
});

test("ssh's own client goes through `sealport tunnel -W`", async () => {
  const config = join(folder, "office.conf");
  const ssh = (name: string): string => join(folder, name);
  writeFileSync(config, office.conf, { mode: 0o600 });
  await using server = office.peer.inside("sshd", "/usr/sbin/sshd", "-D", "-e", "-f", ssh("sshd_config"));
  await server.says(/Server listening/);
  const program = new URL("../../src/cli/main.js", import.meta.url).pathname;
  const proxy = `ProxyCommand=${process.execPath} ${program} tunnel ${config} -W %h:%p`;
  const quiet = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"];
  const run = new Program("ssh", "ssh", [
    "-F",
    "none",
    ...quiet,
    "-o",
    proxy,
    "-i",
    ssh("user"),
    `root@${host}`,
    "echo",
    "hello from inside",
  ]);
  await run.ends();
  assert.match(run.said, /^hello from inside$/m);
});
