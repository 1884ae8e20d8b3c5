import assert from "node:assert/strict";
import { test } from "node:test";
import { concat, fromHex, toHex, utf8 } from "../../../src/bytes/index.js";
import { captured, Pcapng, tcpPacket, udpPacket } from "../../../src/mechanisms/capture/index.js";
import { ManualDatagrams, ManualHost, ManualPort } from "../../support/manual-host.js";
import { blocksOf } from "../../support/pcapng.js";

test("a capture is a section, its interfaces, secrets and packets, each block closed by its length", () => {
  const parts: Uint8Array[] = [];
  const pcapng = new Pcapng(
    (block) => void parts.push(block),
    [
      { name: "outer", link: "ip" },
      { name: "tap", link: "ethernet" },
    ],
  );
  pcapng.secrets("tls", "CLIENT_RANDOM 00 11");
  pcapng.secrets("wireguard", "LOCAL_STATIC_PRIVATE_KEY = x\n");
  pcapng.packet({ at: 1_700_000_000_123.456, on: 1, bytes: utf8("hello"), direction: "out", comment: "lost" });
  const blocks = blocksOf(concat(...parts));
  assert.deepEqual(
    blocks.map(({ type }) => type),
    [0x0a0d0d0a, 1, 1, 10, 10, 6],
  );
  assert.equal(toHex(blocks[3]!.body.subarray(0, 4)), "4b534c54");
  assert.equal(new TextDecoder().decode(blocks[3]!.body.subarray(8, 8 + 20)), "CLIENT_RANDOM 00 11\n");
  assert.equal(toHex(blocks[4]!.body.subarray(0, 4)), "4c4b4757");
  const { packet } = blocks[5]!;
  assert.equal(packet?.on, 1);
  assert.equal(packet?.micros, 1_700_000_000_123_456);
  assert.deepEqual(packet?.bytes, utf8("hello"));
  assert.equal(packet?.comment, "lost");
});

test("IPv4 packets carry right checksums", () => {
  // Checked by hand against RFC 1071: a header that includes its checksum sums to 0xffff.
  const packet = udpPacket({ address: "192.0.2.1", port: 1234 }, { address: "198.51.100.7", port: 53 }, utf8("abc"), 3);
  assert.equal(packet.length, 31);
  assert.equal(packet[1], 3);
  assert.equal(onesSum(packet.subarray(0, 20)), 0xffff);
  const pseudo = concat(packet.subarray(12, 20), fromHex("0011000b"), packet.subarray(20));
  assert.equal(onesSum(pseudo), 0xffff);
});

test("IPv6 packets carry right checksums", () => {
  const flags = { syn: true, ack: true };
  const packet = tcpPacket(
    { address: "2001:db8::1", port: 443 },
    { address: "2001:db8::2", port: 50_000 },
    { sequence: 0xffff_fffe, acknowledgment: 7, flags },
    utf8("x"),
  );
  assert.equal(packet.length, 61);
  assert.equal(onesSum(concat(packet.subarray(8, 40), fromHex("0000001500000006"), packet.subarray(40))), 0xffff);
  assert.equal(packet[40 + 13], 2 + 16 + 8);
});

test("a captured network records datagrams as they pass", async () => {
  const host = new ManualHost();
  const parts: Uint8Array[] = [];
  const below = new ManualDatagrams();
  const network = captured(
    below.network,
    host,
    new Pcapng((block) => void parts.push(block), [{ name: "a", link: "ip" }]),
  );
  const got: Uint8Array[] = [];
  const local = { address: "192.0.2.1", port: 1000 };
  const peer = { address: "192.0.2.2", port: 2000 };
  const port = await network.bindDatagrams(local, { datagrams: (bytes) => void got.push(bytes), closed: () => {} });
  port.send(utf8("onetwothr"), peer, 3);
  below.sinks[0]!.datagrams(utf8("back"), peer, 4, 0);
  assert.deepEqual(got, [utf8("back")]);
  const packets = blocksOf(concat(...parts)).flatMap(({ packet }) => (packet ? [packet.bytes] : []));
  assert.deepEqual(packets, [
    ...["one", "two", "thr"].map((word) => udpPacket(local, peer, utf8(word))),
    udpPacket(peer, local, utf8("back")),
  ]);
});

test("a captured stream reads as a TCP connection", () => {
  const host = new ManualHost();
  const parts: Uint8Array[] = [];
  const port = new ManualPort();
  const network = captured(
    { ...new ManualDatagrams().network, connectStream: () => port },
    host,
    new Pcapng((block) => void parts.push(block), [{ name: "a", link: "ip" }]),
  );
  const told: string[] = [];
  const stream = network.connectStream(port.remote, {
    bytes: (bytes) => void told.push(`bytes ${bytes.length}`),
    ended: () => void told.push("ended"),
    drained: () => {},
    closed: () => void told.push("closed"),
  });
  stream.write(utf8("early"));
  const tap = stream as unknown as { opened(): void; bytes(bytes: Uint8Array): void; ended(): void; closed(): void };
  tap.opened();
  tap.bytes(utf8("answer"));
  stream.finish();
  tap.ended();
  tap.closed();
  assert.deepEqual(told, ["bytes 6", "ended", "closed"]);
  assert.deepEqual(port.calls, ["finish"]);
  const { local: a, remote: b } = port;
  const none = new Uint8Array();
  const head = (sequence: number, acknowledgment: number, flags: object) => ({ sequence, acknowledgment, flags });
  assert.deepEqual(
    blocksOf(concat(...parts)).flatMap(({ packet }) => (packet ? [packet.bytes] : [])),
    [
      tcpPacket(a, b, head(0, 0, { syn: true }), none),
      tcpPacket(b, a, head(0, 1, { syn: true, ack: true }), none),
      tcpPacket(a, b, head(1, 1, { ack: true }), none),
      tcpPacket(a, b, head(1, 1, { ack: true }), utf8("early")),
      tcpPacket(b, a, head(1, 6, { ack: true }), utf8("answer")),
      tcpPacket(a, b, head(6, 7, { fin: true, ack: true }), none),
      tcpPacket(b, a, head(7, 7, { fin: true, ack: true }), none),
    ],
  );
});

function onesSum(bytes: Uint8Array): number {
  let total = 0;
  for (let i = 0; i < bytes.length; i += 2) total += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return total;
}
