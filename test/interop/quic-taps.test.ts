import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { equal, fromUtf8, utf8 } from "../../src/bytes/index.js";
import type { Identity } from "../../src/contract/index.js";
import {
  type Connection,
  dial,
  preconnection,
  type SecurityInit,
  secure,
  serve,
  TransportProperties,
  transportServices,
  unreliableDatagram,
} from "../../src/index.js";
import { isPkiFailure, readPrivateKey } from "../../src/pki/index.js";
import { authority, der, identity, strangers } from "./peers/index.js";
import { aioquicClient, contentOf, opensslQuicClient, quicServers, site } from "./peers/quic.js";

const trust = [der(authority())[0]!];
const timeout = 20_000;
const echo = { alpn: ["echo"], trust } as const;

/** The identity that strangers' authority vouches for. */
function ours(): Identity {
  const files = identity("p256");
  const secret = readPrivateKey(readFileSync(files.key, "utf8"));
  if (isPkiFailure(secret)) throw secret;
  const key = transportServices().host.crypto.privateKey(secret.expose())!;
  return {
    certificates: der(files.certificate),
    publicKey: key.publicKey,
    sign: (algorithm, message) => key.sign(algorithm, message),
  };
}

async function whole(connection: Connection): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const { data } of connection) pieces.push(data);
  return Uint8Array.from(Buffer.concat(pieces));
}

/** Sends all of it, and compares what comes back. */
async function echoed(connection: Connection, size: number): Promise<void> {
  const data = contentOf(`${size}`, size);
  const sent = connection.send(data, { final: true });
  assert.ok(equal(await whole(connection), data), `${size} bytes come back as they went`);
  await sent;
}

test("dial reaches aioquic, and clones are streams of the same session that do not wait for one another", async () => {
  await using server = await quicServers["aioquic 1.2"]({ alpn: "echo" });
  const connection = await dial(`quic://localhost:${server.port}`, { ...echo, timeout });
  assert.equal(connection.stack, "QUIC/UDP");
  const clones = await Promise.all(Array.from({ length: 8 }, () => connection.clone().ready));
  assert.equal(connection.group.size, 9);
  await Promise.all([connection, ...clones].map((each, at) => echoed(each, 100_000 + at)));
  assert.ok(connection.security?.protocol === "QUIC");
  assert.equal(connection.security.outcome?.alpn, "echo");
  await connection.group.close();
});

// Its program gives back one stream after the other.
test("dial reaches OpenSSL, and a clone is the next stream", async () => {
  await using server = await quicServers["OpenSSL 3.5"]({ alpn: "echo" });
  const connection = await dial(`quic://localhost:${server.port}`, { ...echo, timeout });
  const clone = await connection.clone().ready;
  await echoed(connection, 100_000);
  await echoed(clone, 100_001);
  await connection.group.close();
});

test("a Connection to aioquic moves to another address, and goes on", async () => {
  await using server = await quicServers["aioquic 1.2"]({ alpn: "echo" });
  const pre = preconnection({
    remote: { address: "127.0.0.1", port: server.port },
    transport: new TransportProperties({ multipath: "active" }),
    security: secure({ ...echo, allowed: ["QUIC"], serverName: "localhost" }),
  });
  const connection = await pre.connect({ timeout });
  await connection.send(utf8("from here"));
  assert.equal(fromUtf8((await connection.receive()).data), "from here");
  const moved = new Promise<string>((resolve) =>
    connection.on("pathChange", ({ what }) => what === "handover" && resolve(what)),
  );
  const { address, port } = connection.localEndpoint!;
  assert.ok(connection.addLocal({ address: "127.0.0.2" }).ok);
  const gone = connection.removeLocal({ address, port });
  assert.ok(gone.ok, gone.ok ? "" : gone.error.message);
  assert.equal(await moved, "handover");
  assert.equal(connection.localEndpoint?.address, "127.0.0.2");
  await connection.send(utf8("from there"));
  assert.equal(fromUtf8((await connection.receive()).data), "from there");
  await connection.group.close();
});

test("InitiateWithSend to aioquic is 0-RTT once a session can be resumed", async () => {
  await using server = await quicServers["aioquic 1.2"]({ alpn: "echo" });
  const pre = preconnection({
    remote: { host: "localhost", port: server.port },
    transport: new TransportProperties({ zeroRttMsg: "prefer" }),
    security: secure({ ...echo, allowed: ["QUIC"] }),
  });
  const seen: string[] = [];
  for (const words of ["first", "second"]) {
    const connection = pre.initiateWithSend(utf8(words), { safelyReplayable: true, timeout });
    assert.equal(fromUtf8((await connection.receive()).data), words);
    assert.ok(connection.security?.protocol === "QUIC");
    const { mode, earlyData } = connection.security.outcome!;
    seen.push(`${mode} ${earlyData}`);
    await connection.group.close();
  }
  assert.deepEqual(seen, ["full not-offered", "resumed accepted"]);
});

test("unreliable Messages to aioquic are datagrams that come back", async () => {
  await using server = await quicServers["aioquic 1.2"]({ alpn: "echo" });
  const pre = preconnection({
    remote: { host: "localhost", port: server.port },
    transport: unreliableDatagram,
    security: secure({ ...echo, allowed: ["QUIC"] }),
  });
  const connection = await pre.connect({ timeout });
  assert.equal(connection.stack, "QUIC/UDP messages");
  const max = connection.get("singularTransmissionMsgMaxLen")!;
  for (const data of [utf8("short"), contentOf("long", max)]) {
    assert.equal(await connection.send(data), "sent");
    assert.ok(equal((await connection.receive()).data, data));
  }
  await connection.close();
});

test("a file of nginx by hq-interop through TAPS: a Message with a path, and its answer to the end", async () => {
  const www = site("hello\n", { large: 3_000_000 });
  await using server = await quicServers["nginx 1.26"]({ www, retry: true });
  const connection = await dial(`quic://localhost:${server.port}`, { alpn: ["hq-interop"], trust, timeout });
  const large = await connection.clone().ready;
  await connection.send(utf8("GET /index.html\r\n"), { final: true });
  await large.send(utf8("GET /large\r\n"), { final: true });
  assert.equal(fromUtf8(await whole(connection)), "hello\n");
  assert.ok(equal(await whole(large), contentOf("large", 3_000_000)));
  assert.ok(connection.security?.protocol === "QUIC");
  assert.ok(connection.security.outcome?.addressRetried);
  await connection.group.close();
});

/** A server of ours that gives back each stream. */
async function echoing(init: SecurityInit = {}, told: (connection: Connection) => void = () => {}) {
  const options = { identity: ours(), alpn: ["echo"], ...init };
  return serve(
    "quic://127.0.0.1:0",
    async (connection) => {
      told(connection);
      for await (const { data, final } of connection) await connection.send(data, { final });
    },
    options,
  );
}

test("aioquic's client is served: each stream a Connection of one group, through a key update and a migration", async () => {
  let most = 0;
  const paths: string[] = [];
  await using server = await echoing({}, (connection) => {
    most = Math.max(most, connection.group.size);
    connection.on("pathChange", ({ what, detail }) => paths.push(`${what} ${String(detail?.["whose"])}`));
  });
  const client = aioquicClient(server.port, "echo", "--streams", "20", "--size", "50000", "--key-update", "--migrate");
  await client.says("OK");
  assert.ok(most >= 10, `${most} Connections of a group at a time`);
  assert.ok(paths.includes("handover the peer's"), paths.join());
  await client[Symbol.asyncDispose]();
});

test("OpenSSL's client is served by URL", async () => {
  await using server = await echoing();
  await using client = opensslQuicClient(server.port, "echo", 200_000);
  await client.says("SAME");
});

test("where a host speaks TLS and no QUIC, declared equivalents race, and others come when QUIC has failed", async () => {
  await using server = await strangers["OpenSSL 3.0"].serve({ mode: "lines" });
  const allowed = ["QUIC", "TLS"] as const;
  const remote = { host: "localhost", port: server.port };
  const open = await preconnection({
    remote,
    security: secure({ allowed, equivalent: [allowed], trust }),
  }).connect({ timeout });
  assert.equal(open.stack, "TLS/TCP");
  open.abort();
  // Not equivalent, so TLS has to wait; but the host says at once that nobody listens on that UDP port.
  const later = await preconnection({ remote, security: secure({ allowed, trust }) }).connect({ timeout });
  assert.equal(later.stack, "TLS/TCP");
  later.abort();
  const alone = preconnection({ remote, security: secure({ allowed: ["QUIC"], trust }) });
  await assert.rejects(alone.connect({ timeout }));
});
