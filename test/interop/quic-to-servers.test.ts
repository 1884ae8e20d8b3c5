import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { contentOf, type QuicServerName, type QuicServerSetup, quicServers, site } from "./peers/quic.js";
import { fetched, OurClient, type OurQuic, ourOrigin, sha256, store } from "./quic-ours.js";

const page = "<p>the page</p>\n";
const www = site(page, { small: 3_000, large: 5_000_000, huge: 100_000_000 });
const large = sha256(contentOf("large", 5_000_000));

describe("our client and the streams of aioquic's server", { concurrency: 2 }, () => {
  test("handshake, a thousand streams, datagrams, key updates, another connection id and address", async () => {
    await using server = await quicServers["aioquic 1.2"]({});
    await using client = new OurClient(server.port, { options: { datagramFrameMax: 65_535 } });
    const outcome = await client.outcome();
    assert.equal(outcome.version, "1");
    assert.equal(outcome.alpn, "echo");
    assert.equal(outcome.peer?.kind, "certificate");
    const sent = Array.from({ length: 1_000 }, (_, i) => randomBytes(1 + ((i * 37) % 2_000)));
    const back = await Promise.all(sent.map((bytes) => client.echo(bytes)));
    for (const [i, bytes] of back.entries()) assert.deepEqual(new Uint8Array(bytes), new Uint8Array(sent[i]!));
    for (let i = 0; i < 3; i++) assert.ok(client.session.sendDatagram(new TextEncoder().encode(`datagram ${i}`)));
    await client.tells("datagram", 3);
    client.session.updateKeys();
    await client.echo(randomBytes(50_000));
    assert.equal(client.session.statistics.keyGeneration, 1);
    const before = client.session.local.port;
    await client.session.migrate();
    assert.notEqual(client.session.local.port, before);
    const bytes = randomBytes(300_000);
    assert.deepEqual(new Uint8Array(await client.echo(bytes)), new Uint8Array(bytes));
    await client.close();
  });

  const variants: readonly (readonly [string, QuicServerSetup, OurQuic["options"], RegExp])[] = [
    ["Retry", { retry: true }, {}, /version=0x1 /],
    ["version 2 from the first packet", {}, { versions: ["2"] }, /version=0x6b3343cf /],
    ["ChaCha20", {}, { suites: ["TLS_CHACHA20_POLY1305_SHA256"] }, /cipher=CHACHA20_POLY1305_SHA256/],
    ["AES-256", {}, { suites: ["TLS_AES_256_GCM_SHA384"] }, /cipher=AES_256_GCM_SHA384/],
    ["ids of no bytes", {}, { connectionIdSize: 0 }, /version=0x1 /],
    ["NewReno", {}, { congestion: "newreno" }, /version=0x1 /],
    ["BBR", {}, { congestion: "bbr" }, /version=0x1 /],
  ];
  for (const [name, setup, options = {}, said] of variants) {
    test(`${name}`, async () => {
      await using server = await quicServers["aioquic 1.2"](setup);
      await using client = new OurClient(server.port, { options });
      const outcome = await client.outcome();
      assert.equal(outcome.addressRetried, setup.retry ?? false);
      const bytes = randomBytes(500_000);
      assert.deepEqual(new Uint8Array(await client.echo(bytes)), new Uint8Array(bytes));
      await server.program.says(said);
      await client.close();
    });
  }

  test("a version that the server does not speak: it names its own, and we go on with that", async () => {
    await using server = await quicServers["aioquic 1.2"]({ args: ["--versions", "1"] });
    await using client = new OurClient(server.port, { options: { versions: ["2", "1"] } });
    const outcome = await client.outcome();
    assert.equal(outcome.version, "1");
    assert.equal(outcome.versionChanged, "incompatible");
    await client.echo(randomBytes(1_000));
  });

  test("resumption and 0-RTT", async () => {
    await using server = await quicServers["aioquic 1.2"]({});
    const sessions = store();
    {
      await using first = new OurClient(server.port, { sessions });
      assert.equal((await first.outcome()).mode, "full");
      await first.tells("ticket");
      await first.close();
    }
    await using second = new OurClient(server.port, { sessions });
    const bytes = randomBytes(5_000);
    assert.deepEqual(new Uint8Array(await second.echo(bytes, true)), new Uint8Array(bytes));
    const { mode, earlyData } = await second.outcome();
    assert.deepEqual([mode, earlyData], ["resumed", "accepted"]);
    await server.program.says(/resumed=True early=True/);
  });
});

describe("our client and OpenSSL's server", () => {
  for (const retry of [false, true]) {
    test(`echo, key update${retry ? ", through a Retry" : ""}`, async () => {
      await using server = await quicServers["OpenSSL 3.5"]({ retry });
      await using client = new OurClient(server.port);
      assert.equal((await client.outcome()).addressRetried, retry);
      const bytes = randomBytes(3_000_000);
      assert.deepEqual(new Uint8Array(await client.echo(bytes)), new Uint8Array(bytes));
      client.session.updateKeys();
      assert.deepEqual(new Uint8Array(await client.echo(bytes)), new Uint8Array(bytes));
      await client.close();
    });
  }
});

describe("our client fetches files", { concurrency: 2 }, () => {
  const servers: readonly (readonly [QuicServerName, string, QuicServerSetup?])[] = [
    ["ngtcp2 0.12", "h3"],
    ["ngtcp2 0.12", "h3", { retry: true }],
    ["ngtcp2 1.11", "h3"],
    ["ngtcp2 1.11", "h3", { retry: true }],
    ["nginx 1.26", "h3"],
    ["nginx 1.26", "hq-interop", { retry: true }],
    ["Caddy 2.6", "h3"],
    ["aioquic 1.2", "h3"],
    ["aioquic 1.2", "hq-interop"],
  ];
  for (const [name, alpn, setup] of servers) {
    test(`from ${name} by ${alpn}${setup?.retry ? ", through a Retry" : ""}: a page, five megabytes, a hundred small ones`, async () => {
      await using server = await quicServers[name]({ www, alpn, ...setup });
      await using origin = ourOrigin(server.port, { alpn });
      assert.equal(Buffer.from(await fetched(origin, "/index.html")).toString(), page);
      assert.equal(sha256(await fetched(origin, "/large")), large);
      const small = sha256(contentOf("small", 3_000));
      const all = await Promise.all(Array.from({ length: 100 }, () => fetched(origin, "/small")));
      for (const each of all) assert.equal(sha256(each), small);
    });
  }

  test("from haproxy", async () => {
    await using server = await quicServers["haproxy 3.0"]({});
    await using origin = ourOrigin(server.port, { alpn: "h3" });
    assert.equal(Buffer.from(await fetched(origin, "/")).toString(), "hello-haproxy");
  });

  test("from ngtcp2 1.11: a hundred megabytes", async () => {
    await using server = await quicServers["ngtcp2 1.11"]({ www });
    await using origin = ourOrigin(server.port, { alpn: "h3" });
    assert.equal(sha256(await fetched(origin, "/huge")), sha256(contentOf("huge", 100_000_000)));
  });

  for (const name of ["ngtcp2 1.11", "Caddy 2.6", "nginx 1.26"] as const) {
    const accepts = name !== "nginx 1.26";
    test(`from ${name}: a resumed session, and 0-RTT that it ${accepts ? "accepts" : "rejects"}`, async () => {
      await using server = await quicServers[name]({ www });
      const sessions = store();
      {
        await using first = ourOrigin(server.port, { alpn: "h3", sessions });
        await fetched(first, "/index.html");
        await first.ticket;
      }
      await using second = ourOrigin(server.port, { alpn: "h3", sessions });
      assert.equal(Buffer.from(await fetched(second, "/index.html")).toString(), page);
      const { mode, earlyData } = await second.session.confirmed;
      assert.equal(mode, "resumed");
      if (accepts) assert.equal(earlyData, "accepted");
      else assert.notEqual(earlyData, "accepted");
    });
  }

  test("from ngtcp2 1.11 in version 2, and by its wish for it", async () => {
    await using plain = await quicServers["ngtcp2 1.11"]({ www });
    await using from2 = ourOrigin(plain.port, { alpn: "h3", options: { versions: ["2"] } });
    assert.equal(Buffer.from(await fetched(from2, "/index.html")).toString(), page);
    assert.equal((await from2.session.confirmed).version, "2");
    const args = ["--preferred-versions=0x6b3343cf", "--available-versions=0x6b3343cf,0x00000001"];
    await using wishing = await quicServers["ngtcp2 1.11"]({ www, args });
    await using changed = ourOrigin(wishing.port, { alpn: "h3", options: { versions: ["1", "2"] } });
    assert.equal(Buffer.from(await fetched(changed, "/index.html")).toString(), page);
    const { version, versionChanged } = await changed.session.confirmed;
    assert.deepEqual([version, versionChanged], ["2", "compatible"]);
  });

  test("from ngtcp2 1.11 and nginx while we move to another port", async () => {
    for (const name of ["ngtcp2 1.11", "nginx 1.26"] as const) {
      await using server = await quicServers[name]({ www });
      await using origin = ourOrigin(server.port, { alpn: "h3" });
      const download = fetched(origin, "/large");
      await origin.session.confirmed;
      await origin.session.migrate();
      assert.equal(sha256(await download), large);
      origin.session.updateKeys();
      assert.equal(sha256(await fetched(origin, "/large")), large);
    }
  });
});
