import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concat, DecodeError, equal, fromHex } from "../../../../src/bytes/index.js";
import { decodePacketNumber, packetNumberSize } from "../../../../src/protocols/quic/protection/packet-number.js";
import { readPacketNumber, writePacketNumber } from "../../../../src/protocols/quic/protection/protection.js";
import { PacketType, versions } from "../../../../src/protocols/quic/protection/versions.js";
import {
  HeaderView,
  listedVersions,
  longHeaderSize,
  patchLength,
  putLongHeader,
  retryPacket,
  versionNegotiationPacket,
} from "../../../../src/protocols/quic/wire/header.js";
import {
  defaultParameters,
  readParameters,
  type TransportParameters,
  writeParameters,
} from "../../../../src/protocols/quic/wire/transport-parameters.js";

const id = fc.uint8Array({ maxLength: 20 });

test("long headers read as they were written, in both versions, one packet behind the other", () => {
  const view = new HeaderView();
  const type = fc.constantFrom<0 | 1 | 2>(PacketType.initial, PacketType.zeroRtt, PacketType.handshake);
  const draw = fc.tuple(fc.constantFrom("1" as const, "2" as const), type, id, id, fc.uint8Array({ maxLength: 100 }));
  fc.assert(
    fc.property(draw, fc.integer({ min: 4, max: 200 }), ([name, packetType, dcid, scid, token], size) => {
      const version = versions[name];
      const bytes = new Uint8Array(600);
      const at = 7;
      const numberAt = putLongHeader(bytes, at, version, packetType, dcid, scid, token, 2, true);
      assert.equal(numberAt - at, longHeaderSize(packetType, dcid, scid, token));
      const end = numberAt + size;
      patchLength(bytes, numberAt, end);
      assert.ok(view.read(bytes, at, bytes.length, 8));
      assert.deepEqual([view.type, view.version, view.bodyAt, view.end], [packetType, version, numberAt, end]);
      assert.ok(equal(bytes.subarray(view.dcidAt, view.dcidAt + view.dcidSize), dcid));
      assert.ok(equal(bytes.subarray(view.scidAt, view.scidAt + view.scidSize), scid));
      if (packetType === PacketType.initial) {
        assert.ok(equal(bytes.subarray(view.tokenAt, view.tokenAt + view.tokenSize), token));
      }
      for (let cut = at; cut < numberAt; cut++) assert.ok(!view.read(bytes, at, cut, 8), `cut at ${cut}`);
    }),
  );
});

test("a short header has our id, and ends with the datagram", () => {
  const view = new HeaderView();
  const bytes = concat(Uint8Array.of(0x40), new Uint8Array(30));
  assert.ok(view.read(bytes, 0, bytes.length, 8));
  assert.deepEqual([view.type, view.dcidAt, view.dcidSize, view.bodyAt, view.end], [PacketType.oneRtt, 1, 8, 9, 31]);
  assert.equal(view.isLong, false);
  assert.ok(!view.read(bytes, 0, 8, 8));
});

test("whatever bytes come, a header's places lie within them", () => {
  const view = new HeaderView();
  const start = fc.constantFrom("", "c000000001", "d06b3343cf", "c000000000", "f000000001", "c00a0a0a0a").map(fromHex);
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 60 }), (head, tail) => {
      const bytes = concat(head, tail);
      if (!view.read(bytes, 0, bytes.length, 8)) return;
      for (const end of [view.dcidAt + view.dcidSize, view.bodyAt, view.end]) assert.ok(end <= bytes.length);
      if (view.isLong) assert.ok(view.scidAt + view.scidSize <= bytes.length && view.tokenSize <= bytes.length);
    }),
    { numRuns: 2_000 },
  );
});

test("Version Negotiation lists versions, and Retry carries its token", () => {
  const view = new HeaderView();
  const dcid = fromHex("0102030405060708");
  const scid = fromHex("1112131415161718191a1b1c1d1e1f2021222324252627");
  const packet = versionNegotiationPacket(dcid, scid, [1, 0x6b33_43cf], 0xff);
  assert.ok(view.read(packet, 0, packet.length, 8));
  assert.equal(view.type, PacketType.versionNegotiation);
  assert.deepEqual(listedVersions(packet, view.bodyAt, view.end), [1, 0x6b33_43cf]);
  assert.equal(listedVersions(packet, view.bodyAt, view.end - 1), undefined);
  assert.equal(listedVersions(packet, view.bodyAt, view.bodyAt), undefined);
  const retry = retryPacket(versions["2"], dcid, dcid, fromHex("aabbcc"), 0xff);
  assert.ok(view.read(retry, 0, retry.length, 8));
  assert.deepEqual([view.type, view.version], [PacketType.retry, versions["2"]]);
  assert.equal(view.end - view.bodyAt, 3);
});

test("packet numbers: the samples of RFC 9000 §A.2 and §A.3", () => {
  assert.equal(packetNumberSize(0xac5c02, 0xabe8b3), 2);
  assert.equal(packetNumberSize(0xace8fe, 0xabe8b3), 3);
  assert.equal(decodePacketNumber(0x9b32, 2, 0xa82f30eb), 0xa82f9b32);
});

test("a packet number that was written comes back, wherever the window stands", () => {
  const near = fc.integer({ min: -3_000, max: 3_000 });
  fc.assert(
    fc.property(fc.oneof(fc.nat(100_000), fc.nat(2 ** 30), fc.maxSafeNat()), near, (largest, step) => {
      const number = Math.min(Number.MAX_SAFE_INTEGER - 10, Math.max(0, largest + step));
      const size = packetNumberSize(number, number - Math.abs(step) - 1);
      const bytes = new Uint8Array(4);
      writePacketNumber(bytes, 0, size, number);
      assert.equal(readPacketNumber(bytes, 0, size, largest), number);
    }),
    { numRuns: 2_000 },
  );
});

const parameters: TransportParameters = {
  ...defaultParameters,
  originalDestinationConnectionId: fromHex("0102"),
  maxIdleTimeoutMs: 30_000,
  statelessResetToken: new Uint8Array(16).fill(3),
  maxUdpPayloadSize: 1_472,
  initialMaxData: 1_000_000,
  initialMaxStreamsBidi: 100,
  ackDelayExponent: 5,
  maxAckDelayMs: 30,
  disableActiveMigration: true,
  preferredAddress: {
    ipv4: { address: "192.0.2.1", port: 443 },
    ipv6: { address: "2001:db8::1", port: 8443 },
    connectionId: fromHex("aabbccdd"),
    statelessResetToken: new Uint8Array(16).fill(4),
  },
  activeConnectionIdLimit: 4,
  initialSourceConnectionId: new Uint8Array(0),
  retrySourceConnectionId: fromHex("0506"),
  versionInformation: { chosen: 1, available: [1, 0x6b33_43cf] },
  maxDatagramFrameSize: 1_200,
  greaseQuicBit: true,
};

test("transport parameters come back as they were, and one that nobody knows is passed over", () => {
  const bytes = writeParameters(parameters, { id: 31 * 7 + 27, data: fromHex("00") });
  assert.deepEqual(readParameters(bytes, "server"), parameters);
  assert.deepEqual(readParameters(writeParameters(defaultParameters), "client"), defaultParameters);
});

test("transport parameters that may not be do not read", () => {
  for (const [why, hex] of [
    ["one twice", "0101050101 06".replaceAll(" ", "")],
    ["cut short", "010250"],
    ["a byte too much inside", "01020505"],
    ["max_udp_payload_size below 1200", "030244af"],
    ["ack_delay_exponent above 20", "0a0115"],
    ["max_ack_delay of 2^14", "0b0480004000"],
    ["active_connection_id_limit of 1", "0e0101"],
    ["more than 2^60 streams", `0808${"d000000000000001"}`],
    ["disable_active_migration with a value", "0c0101"],
    ["a reset token of 15 bytes", `020f${"00".repeat(15)}`],
    ["version 0 among the available", "1108 00000001 00000000".replaceAll(" ", "")],
    ["an id of 21 bytes", `0f15${"00".repeat(21)}`],
  ] as const) {
    assert.throws(() => readParameters(fromHex(hex), "server"), DecodeError, why);
  }
  for (const only of ["000101", `0210${"00".repeat(16)}`, "100101"]) {
    assert.throws(() => readParameters(fromHex(only), "client"), DecodeError, only);
  }
});
