import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { concat, fromHex, toHex } from "../../src/bytes/index.js";
import { Secret } from "../../src/contract/index.js";
import {
  initialProtection,
  type Protection,
  Protection as ProtectionOf,
  protectHeader,
  readPacketNumber,
  unprotectHeader,
  writePacketNumber,
} from "../../src/protocols/quic/protection/protection.js";
import { checkRetry, retryTag } from "../../src/protocols/quic/protection/retry.js";
import { nextSecret } from "../../src/protocols/quic/protection/secrets.js";
import { PacketType, versions } from "../../src/protocols/quic/protection/versions.js";
import { HeaderView, patchLength, putLongHeader } from "../../src/protocols/quic/wire/header.js";
import { suites13 } from "../../src/protocols/tls/index.js";
import { provider as crypto } from "../support/provider.js";

interface Vectors {
  readonly dcid: string;
  readonly clientNumber: number;
  readonly clientPayloadSize: number;
  readonly serverNumber: number;
  readonly versions: Readonly<
    Record<
      "1" | "2",
      {
        readonly crypto: string;
        readonly clientPacket: string;
        readonly serverPayload: string;
        readonly serverPacket: string;
        readonly retry: string;
        readonly chacha20: {
          readonly secret: string;
          readonly number: number;
          readonly ku: string;
          readonly packet: string;
        };
      }
    >
  >;
}

/** RFC 9001 appendix A and RFC 9369 appendix A. */
const vectors = JSON.parse(
  readFileSync(new URL("../../../test/vectors/data/rfc/quic.json", import.meta.url), "utf8"),
) as Vectors;

const none = new Uint8Array(0);
const dcid = fromHex(vectors.dcid);
const serverScid = fromHex("f067a5502a4262b5");

for (const name of ["1", "2"] as const) {
  const version = versions[name];
  const vector = vectors.versions[name];
  const client = () => initialProtection(crypto, version, dcid, "client");
  const server = () => initialProtection(crypto, version, dcid, "server");

  const sealed = (
    write: Protection,
    to: Uint8Array,
    from: Uint8Array,
    number: number,
    size: 2 | 4,
    payload: Uint8Array,
  ) => {
    const packet = new Uint8Array(1500);
    const numberAt = putLongHeader(packet, 0, version, PacketType.initial, to, from, none, size, true);
    writePacketNumber(packet, numberAt, size, number);
    const payloadAt = numberAt + size;
    packet.set(payload, payloadAt);
    const end = payloadAt + payload.length;
    patchLength(packet, numberAt, end + 16);
    write.packet.seal(packet, 0, payloadAt, end, number);
    protectHeader(write.header, packet, 0, numberAt, size);
    return packet.slice(0, end + 16);
  };

  const opened = (read: Protection, hex: string) => {
    const bytes = fromHex(hex);
    const view = new HeaderView();
    assert.ok(view.read(bytes, 0, bytes.length, 0));
    assert.equal(view.version, version);
    const size = unprotectHeader(read.header, bytes, 0, view.bodyAt, view.end);
    const number = readPacketNumber(bytes, view.bodyAt, size, 0);
    const payloadAt = view.bodyAt + size;
    assert.ok(read.packet.open(bytes, 0, payloadAt, view.end, number));
    return { number, payload: bytes.subarray(payloadAt, view.end - 16), view };
  };

  test(`QUIC ${name} appendix A.2: the client's Initial`, () => {
    const payload = concat(fromHex(vector.crypto), new Uint8Array(vectors.clientPayloadSize - 245));
    assert.equal(toHex(sealed(client().write, dcid, none, vectors.clientNumber, 4, payload)), vector.clientPacket);
    const found = opened(server().read, vector.clientPacket);
    assert.equal(found.number, vectors.clientNumber);
    assert.equal(toHex(found.payload), toHex(payload));
  });

  test(`QUIC ${name} appendix A.3: the server's Initial`, () => {
    const payload = fromHex(vector.serverPayload);
    assert.equal(
      toHex(sealed(server().write, none, serverScid, vectors.serverNumber, 2, payload)),
      vector.serverPacket,
    );
    const found = opened(client().read, vector.serverPacket);
    assert.equal(found.number, vectors.serverNumber);
    assert.equal(toHex(found.payload), vector.serverPayload);
  });

  test(`QUIC ${name} appendix A.4: Retry`, () => {
    const packet = fromHex(vector.retry);
    assert.ok(checkRetry(crypto, version, dcid, packet));
    assert.equal(toHex(retryTag(crypto, version, dcid, packet.subarray(0, -16))), toHex(packet.subarray(-16)));
    packet[20]! ^= 1;
    assert.ok(!checkRetry(crypto, version, dcid, packet));
  });

  test(`QUIC ${name} appendix A.5: a short header with ChaCha20-Poly1305`, () => {
    const suite = suites13.find(({ aead }) => aead === "ChaCha20-Poly1305")!;
    const { secret, number, ku, packet } = vector.chacha20;
    const write = new ProtectionOf(crypto, version, suite, new Secret(fromHex(secret)), "write");
    const bytes = new Uint8Array(21);
    bytes[0] = 0x42;
    writePacketNumber(bytes, 1, 3, number);
    bytes[4] = 1;
    write.packet.seal(bytes, 0, 4, 5, number);
    protectHeader(write.header, bytes, 0, 1, 3);
    assert.equal(toHex(bytes), packet);
    const read = new ProtectionOf(crypto, version, suite, new Secret(fromHex(secret)), "read");
    assert.equal(unprotectHeader(read.header, bytes, 0, 1, 21), 3);
    assert.equal(readPacketNumber(bytes, 1, 3, number - 5), number);
    assert.ok(read.packet.open(bytes, 0, 4, 21, number));
    assert.equal(bytes[4], 1);
    assert.equal(toHex(nextSecret(crypto, version, suite, new Secret(fromHex(secret))).expose()), ku);
  });
}
