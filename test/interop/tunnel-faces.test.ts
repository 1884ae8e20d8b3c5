import assert from "node:assert/strict";
import { randomBytes, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, get } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Pool } from "pg";
import { Agent, fetch } from "undici";
import { WebSocket } from "ws";
import { connectHttp3 } from "../../src/adapters/http3/index.js";
import { disabled, type OpenTunnel, preconnection, reliableInorderStream, secure, tunnel } from "../../src/index.js";
import { startPostgres } from "../support/postgres.js";
import { leaves, vouchedForAt } from "../support/taps.js";
import { authority, identity, scratch } from "./peers/certificates.js";
import { peer } from "./peers/find.js";
import { type Office, startOffice } from "./peers/office.js";
import type { Program } from "./peers/program.js";

/** An office, and our tunnel there. */
interface Opened extends AsyncDisposable {
  readonly peer: Office["peer"];
  readonly office: OpenTunnel;
}

async function openOffice(title: string): Promise<Opened> {
  const behind = await startOffice(title);
  const office = await tunnel(behind.conf, { name: title });
  return {
    peer: behind.peer,
    office,
    async [Symbol.asyncDispose]() {
      await office.close({ drainMs: 1_000 });
      await behind[Symbol.asyncDispose]();
    },
  };
}

let shared: Opened;
before(async () => {
  shared = await openOffice("office");
});
after(() => shared[Symbol.asyncDispose]());

const intranet = "http://intranet.office.test:8080/";

test("fetch, undici and http agents reach a web server behind wireguard-go by its private name", async () => {
  const { office } = shared;
  const said = "office saw intranet.office.test:8080 from 10.99.0.2";
  assert.equal(await (await office.fetch(intranet)).text(), said);
  const dispatcher = office.dispatcher(Agent);
  assert.equal(await (await fetch(intranet, { dispatcher })).text(), said);
  const body = "payload ".repeat(50_000);
  assert.equal(await (await fetch(intranet, { method: "POST", body, dispatcher })).text(), body);
  await dispatcher.close();
  const text = await new Promise<string>((resolve, reject) => {
    const asked = get(intranet, { agent: office.agent({ keepAlive: true }) }, (response) => {
      let whole = "";
      response.on("data", (chunk: Buffer) => (whole += chunk.toString())).on("end", () => resolve(whole));
    });
    asked.on("error", reject);
  });
  assert.equal(text, said);
});

test("ws opens a WebSocket through the tunnel", async () => {
  const socket = new WebSocket("ws://intranet.office.test:8080/", {
    createConnection: () => shared.office.connect({ host: "intranet.office.test", port: 8080 }) as never,
  });
  socket.once("open", () => socket.send("through the tunnel"));
  const [data] = await once(socket, "message");
  assert.equal(String(data), "through the tunnel");
  socket.close();
  await once(socket, "close");
});

test("pg talks to a PostgreSQL that lives behind the tunnel", async () => {
  const { office, peer } = shared;
  const postgres = await startPostgres();
  const address = "TCP-LISTEN:5432,fork,reuseaddr";
  const door: Program = peer.inside("postgres", "socat", "-d", "-d", address, `UNIX-CONNECT:${postgres.socket}`);
  try {
    await door.says(/listening on/);
    const pool = new Pool({
      host: "intranet.office.test",
      user: "sealport",
      database: "postgres",
      max: 3,
      stream: () => office.socket() as never,
    });
    const big = "x".repeat(300_000);
    const ask = async (i: number) => (await pool.query("select $1::int as i, length($2) as l", [i, big])).rows[0];
    const rows = await Promise.all(Array.from({ length: 12 }, (_, i) => ask(i)));
    assert.deepEqual(rows[11], { i: 11, l: 300_000 });
    const { rows: many } = await pool.query("select g from generate_series(1, 20000) g");
    assert.equal(many.length, 20_000);
    await pool.end();
  } finally {
    await door[Symbol.asyncDispose]();
    await postgres.stop();
  }
});

test("curl in the private network reaches an HTTP server of ours inside the tunnel", async () => {
  const http = createServer((request, response) => response.end(`served to ${request.socket.remoteAddress}`));
  const server = await shared.office.listen(8088, http);
  assert.equal(server.address()?.port, 8088);
  const curl = shared.peer.inside("curl", "curl", "-sS", "--max-time", "10", "http://10.99.0.2:8088/");
  assert.equal(await curl.ends(), "exited with 0", curl.said);
  assert.equal(curl.said, "served to 10.99.0.1");
  await new Promise<void>((resolve) => void server.close(() => resolve()));
  const refused = shared.peer.inside("curl", "curl", "-sS", "--max-time", "10", "http://10.99.0.2:8088/");
  assert.equal(await refused.ends(), "exited with 7", refused.said);
});

test("datagrams go and come, to a name and to a fixed peer", async () => {
  const { office } = shared;
  const free = await office.datagram();
  free.send("to a name", 7, "intranet.office.test");
  const [body, from] = await once(free, "message");
  assert.equal(String(body), "to a name");
  assert.deepEqual(from, { address: "10.99.0.1", family: "IPv4", port: 7, size: 9 });
  free.close();
  const fixed = await office.datagram({ remote: { host: "10.99.0.1", port: 7 } });
  fixed.send(Buffer.from("to a peer"));
  assert.equal(String((await once(fixed, "message"))[0]), "to a peer");
  fixed.close();
});

test("names are looked up inside: by search domain, over TCP when they are long, and missed when they are not there", async () => {
  const { office } = shared;
  assert.deepEqual(await office.resolve("intranet"), ["10.99.0.1"]);
  assert.equal((await office.resolve("many.office.test", { family: 4 })).length, 100);
  await assert.rejects(office.resolve("nobody.office.test"), { reason: "name-not-found" });
  await assert.rejects(once(office.connect({ host: "nobody.office.test", port: 1 }), "connect"), { code: "ENOTFOUND" });
  await assert.rejects(once(office.connect({ host: "10.99.0.1", port: 1 }), "connect"), { code: "ECONNREFUSED" });
});

test("the status tells of handshake, round trip, counters and what is open", async () => {
  const { office, peer } = shared;
  await office.ping("intranet");
  const status = office.status();
  assert.ok(status.isUp);
  assert.equal(status.name, "wg:office");
  assert.equal(status.mtu, 1_420);
  assert.ok(status.rttMs! > 0);
  assert.equal(status.lossRatio, 0);
  assert.deepEqual(status.addresses, ["10.99.0.2", "fd99::2"]);
  const [only] = status.peers;
  assert.equal(only!.publicKey, peer.publicKey);
  // One, and one more for each whose answer came too late.
  assert.ok(only!.handshakes >= 1);
  assert.ok(only!.bytesReceived > 300_000);
  const socket = office.connect({ host: "10.99.0.1", port: 8080 });
  await once(socket, "connect");
  assert.equal(office.status().connections, status.connections + 1);
  socket.destroy();
  await once(socket, "close");
});

test("a tunnel is a path: TLS over TCP over WireGuard is one expression, and nobody goes there unasked", async () => {
  const { pem, root } = vouchedForAt(Date.now(), "intranet.office.test");
  const [cert, key] = [join(scratch(), "intranet.crt"), join(scratch(), "intranet.key")];
  writeFileSync(cert, pem.cert);
  writeFileSync(key, pem.key);
  const files = ["-cert", cert, "-key", key];
  await using server = shared.peer.inside("OpenSSL", "openssl", "s_server", "-accept", "8443", ...files, "-rev");
  await server.says(/ACCEPT/);
  const remote = { host: "intranet.office.test", port: 8443 };
  const inside = reliableInorderStream.with({ interface: { "wg:office": "require" } });
  const security = secure({ allowed: ["TLS"], trust: [root] });

  await using connection = await preconnection({ remote, transport: inside, security }).connect();
  await connection.send(Buffer.from("through\n"));
  const { data } = await connection.receive();
  assert.equal(String(Buffer.from(data)), "hguorht\n");
  assert.equal(connection.localEndpoint?.address, "10.99.0.2");

  const byType = reliableInorderStream.with({ interface: { tunnel: "require" } });
  const tree = await preconnection({ remote, transport: byType, security }).candidates();
  assert.deepEqual(
    leaves(tree).map(({ name }) => name),
    ["10.99.0.1:8443"],
  );
  const elsewhere = reliableInorderStream.with({ interface: { loopback: "prefer" } });
  const other = await preconnection({ remote: { host: "127.0.0.1", port: 1 }, transport: elsewhere }).candidates();
  const tunnelPath = other.children.find(({ name }) => name === "wg:office");
  assert.deepEqual(tunnelPath?.verdict, { state: "excluded", why: "a tunnel is a path only where it is asked for" });
  await assert.rejects(preconnection({ remote, security: disabled() }).connect(), { reason: "resolution-failed" });

  await using listener = await preconnection({
    local: { interface: "wg:office", port: 8099 },
    security: disabled(),
  }).listen();
  const client = shared.peer.inside("socat", "socat", "-u", "OPEN:/etc/hostname", "TCP:10.99.0.2:8099");
  const accepted = await listener.accept({ timeout: 10_000 });
  assert.equal(accepted?.remoteEndpoint?.address, "10.99.0.1");
  assert.equal(await client.ends(), "exited with 0");
  accepted?.abort();
});

/** It tells nobody when it listens: asked until it answers. */
async function answering<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await ask();
    } catch (error) {
      if (tries === 50) throw error;
      await new Promise((again) => setTimeout(again, 100));
    }
  }
}

test("HTTP/3 and QUIC go through the tunnel to ngtcp2, in packets that the inside carries whole", async () => {
  const { certificate, key } = identity("p256");
  const www = scratch();
  const large = randomBytes(2_000_000);
  writeFileSync(join(www, "large"), large);
  const { command } = peer("ngtcp2 0.12 server");
  await using server = shared.peer.inside("ngtcp2", command, "-q", "-d", www, "10.99.0.1", "4433", key, certificate);
  await server.says(/Using document root/);
  const trust = [new X509Certificate(readFileSync(authority())).raw];
  await using client = await answering(() =>
    connectHttp3("https://intranet.office.test:4433/", {
      network: shared.office.network,
      trust,
      serverName: "localhost",
      signal: AbortSignal.timeout(3_000),
    }),
  );
  const response = await client.request({ path: "/large" });
  assert.deepEqual(Buffer.from(await response.body.bytes()), large);
  assert.equal(client.session.local.address, "10.99.0.2");
  const { mtu } = client.session.statistics;
  assert.ok(mtu >= 1_200 && mtu <= 1_420 - 20 - 8, `${mtu}`);

  const connection = await preconnection({
    remote: { host: "intranet.office.test", port: 4433 },
    transport: reliableInorderStream.with({ interface: { "wg:office": "require" } }),
    security: secure({ allowed: ["QUIC"], alpn: ["h3"], trust, serverName: "localhost" }),
  }).connect({ timeout: 20_000 });
  assert.equal(connection.localEndpoint?.address, "10.99.0.2");
  assert.match(connection.remoteEndpoint?.address ?? "", /^10\.99\.0\.1$/);
  connection.abort();
});

test("two tunnels to private networks with the same addresses live in one process", async () => {
  await using other = await openOffice("branch");
  const asked = [shared.office, other.office].map(async (each) => (await each.fetch("http://10.99.0.1:8080/")).text());
  const [one, two] = await Promise.all(asked);
  assert.equal(one, "office saw 10.99.0.1:8080 from 10.99.0.2");
  assert.equal(two, "branch saw 10.99.0.1:8080 from 10.99.0.2");
});

test("closing waits for what is open inside, and ends everything", async () => {
  await using opened = await openOffice("short-lived");
  const { office } = opened;
  const socket = office.connect({ host: "10.99.0.1", port: 8080 });
  await once(socket, "connect");
  const closing = office.close({ drainMs: 10_000 });
  socket.end("GET / HTTP/1.0\r\n\r\n");
  let said = "";
  for await (const chunk of socket) said += chunk;
  assert.match(said, /short-lived saw undefined from 10\.99\.0\.2$/);
  await closing;
  assert.equal(office.status().isUp, false);
  assert.equal(office.status().connections, 0);
});
