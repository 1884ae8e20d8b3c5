import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Origin } from "../../src/adapters/http3/index.js";
import { captureToFile } from "../../src/hosts/node/capture.js";
import { connect } from "../../src/protocols/quic/index.js";
import { host } from "./ours.js";
import { peer, scratch } from "./peers/index.js";
import { aioquicClient, contentOf, ngtcp2Client, quicServers, site } from "./peers/quic.js";
import { fetched, OurClient, OurQuicServer, ourOptions, ourOrigin, sha256 } from "./quic-ours.js";
import { corrupting, dice, losing, narrow, type UdpEdit, UdpRelay } from "./udp-relay.js";

/** What happens on the way: loss, damage, narrow paths, NATs, reordering, liars; with strangers on the other side. */

const www = site("<p>the page</p>\n", { large: 2_000_000, small: 3_000 });
const large = contentOf("large", 2_000_000);

/** Holds back every fifth datagram for a few milliseconds. */
const reordering = (seed: number): UdpEdit => {
  const next = dice(seed);
  return (_, bytes) => (next() < 0.2 ? [{ bytes, ms: 1 + 5 * next() }] : bytes);
};

const networks: readonly (readonly [string, () => UdpEdit])[] = [
  ["one datagram in thirty lost", () => losing(0.03, 11)],
  ["one datagram in fifty damaged", () => corrupting(0.02, 12)],
  ["a fifth of them overtaken", () => reordering(13)],
  ["no datagram above 1,300 bytes", () => narrow(1_300)],
];

describe("a bad way", { concurrency: 2 }, () => {
  for (const [name, edit] of networks) {
    test(`our client downloads from ngtcp2: ${name}`, async () => {
      await using server = await quicServers["ngtcp2 1.11"]({ www });
      await using relay = await UdpRelay.to(server.port, edit());
      await using origin = ourOrigin(relay.port, { alpn: "h3" });
      assert.equal(sha256(await fetched(origin, "/large")), sha256(large));
    });

    test(`ngtcp2 downloads from our server: ${name}`, async () => {
      await using server = await OurQuicServer.start({ www });
      await using relay = await UdpRelay.to(server.port, edit());
      const downloads = scratch();
      const client = ngtcp2Client("1.11", relay.port, { paths: ["/large"], downloads, args: ["--quiet"] });
      assert.equal(await client.ends(), "exited with 0", client.said);
      assert.equal(sha256(readFileSync(join(downloads, "large"))), sha256(large));
    });
  }

  test("a handshake of which a third of the datagrams is lost, twenty times, with aioquic", async () => {
    await using server = await quicServers["aioquic 1.2"]({});
    await using relay = await UdpRelay.to(server.port, losing(0.3, 21));
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        await using client = new OurClient(relay.port);
        await client.outcome();
        const bytes = randomBytes(500);
        assert.deepEqual(new Uint8Array(await client.echo(bytes)), new Uint8Array(bytes));
      }),
    );
  });

  test("the same of aioquic's handshakes with our server", async () => {
    await using server = await OurQuicServer.start();
    await using relay = await UdpRelay.to(server.port, losing(0.3, 22));
    for (let i = 0; i < 2; i++) {
      const client = aioquicClient(relay.port, "echo", "--size", "500");
      assert.equal(await client.ends(), "exited with 0", client.said);
    }
  });
});

describe("addresses", { concurrency: 2 }, () => {
  for (const address of ["127.0.0.1", "127.0.0.2"]) {
    test(`a NAT gives our client ${address === "127.0.0.1" ? "another port" : "another address"} within a download`, async () => {
      await using server = await quicServers["ngtcp2 1.11"]({ www, host: "0.0.0.0" });
      await using relay = await UdpRelay.to(server.port);
      await using origin = ourOrigin(relay.port, { alpn: "h3" });
      await fetched(origin, "/small");
      await relay.rebind(address);
      assert.equal(sha256(await fetched(origin, "/large")), sha256(large));
    });

    test(`and to ngtcp2's client before our server, ${address}`, async () => {
      await using server = await OurQuicServer.start({ www, address: "0.0.0.0" });
      await using relay = await UdpRelay.to(server.port);
      const downloads = scratch();
      const args = ["--quiet", "--delay-stream=300ms"];
      const client = ngtcp2Client("1.11", relay.port, { paths: ["/large"], downloads, args });
      while (server.outcomes.length === 0) await new Promise((again) => setTimeout(again, 10));
      await relay.rebind(address);
      assert.equal(await client.ends(), "exited with 0", client.said);
      assert.equal(sha256(readFileSync(join(downloads, "large"))), sha256(large));
      assert.deepEqual(server.told, ["moved the peer's"]);
    });
  }

  test("IPv6, both ways", async () => {
    await using theirs = await quicServers["ngtcp2 1.11"]({ www, host: "::1" });
    await using origin = ourOrigin(theirs.port, { alpn: "h3", address: "::1" });
    assert.equal(sha256(await fetched(origin, "/large")), sha256(large));
    await using ours = await OurQuicServer.start({ www, address: "::1" });
    const client = ngtcp2Client("1.11", ours.port, { host: "::1", paths: ["/large"], downloads: scratch() });
    assert.equal(await client.ends(), "exited with 0", client.said);
  });

  test("an address that has proved nothing gets no more than three times what it sent", async () => {
    await using server = await OurQuicServer.start();
    // A client's first flight, taken from one that nobody answers.
    const flights: Buffer[] = [];
    const silent = createSocket("udp4", (bytes) => flights.push(bytes));
    await new Promise<void>((done) => silent.bind(0, "127.0.0.1", done));
    const remote = { address: "127.0.0.1", port: silent.address().port };
    const session = connect(host, remote, ourOptions({}), { stream: () => undefined, closed: () => undefined });
    while (flights.length < 2) await new Promise((again) => setTimeout(again, 5));
    session.abort();
    silent.close();
    // Somebody else sends it, and says no more.
    let got = 0;
    const spoofed = createSocket("udp4", (bytes) => (got += bytes.length));
    await new Promise<void>((done) => spoofed.bind(0, "127.0.0.1", done));
    const sent = flights.slice(0, 2);
    for (const each of sent) spoofed.send(each, server.port, "127.0.0.1");
    await new Promise((later) => setTimeout(later, 1_500));
    spoofed.close();
    const size = sent.reduce((sum, each) => sum + each.length, 0);
    assert.ok(got > 0, "the server did not answer at all");
    assert.ok(got <= 3 * size, `${got} bytes for ${size}`);
  });
});

describe("what tools see", () => {
  test("tshark reads a download from ngtcp2 with our key log, both versions", async () => {
    for (const version of ["1", "2"] as const) {
      await using server = await quicServers["ngtcp2 1.11"]({ www });
      const folder = scratch();
      const keyLogPath = join(folder, "keys");
      const pcap = join(folder, "packets.pcapng");
      const capture = captureToFile(host, pcap);
      {
        const ours = ourOptions({ alpn: "h3", keyLogPath, options: { versions: [version] } });
        await using origin = new Origin(capture.host, { address: "127.0.0.1", port: server.port }, "localhost", ours);
        await fetched(origin, "/small");
      }
      await capture.close();
      assert.ok(existsSync(keyLogPath));
      const { command, prefix } = peer("tshark");
      const decode = ["-d", `udp.port==${server.port},quic`, "-o", `tls.keylog_file:${keyLogPath}`];
      const said = execFileSync(command, [...prefix, "-r", pcap, ...decode, "-V"], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
        maxBuffer: 256 << 20,
      });
      assert.match(said, new RegExp(`Version: ${version === "1" ? "1 \\(0x00000001\\)" : ".*0x6b3343cf"}`));
      assert.match(said, /Hypertext Transfer Protocol Version 3/);
      assert.match(said, /STREAM id=0 fin=1/);
      assert.doesNotMatch(said, /Decryption failed/i);
    }
  });
});
