import assert from "node:assert/strict";
import { test } from "node:test";
import { Secret } from "../../../../src/contract/index.js";
import { seededEntropy } from "../../../../src/crypto/index.js";
import { demultiplex } from "../../../../src/mechanisms/demultiplex.js";
import { contentType } from "../../../../src/protocols/dtls/record/content-type.js";
import { Opener12, Sealer12 } from "../../../../src/protocols/dtls/record/protection12.js";
import { Opener13, Sealer13 } from "../../../../src/protocols/dtls/record/protection13.js";
import { UnifiedHeader } from "../../../../src/protocols/dtls/record/unified.js";
import { suites12, suites13 } from "../../../../src/protocols/tls/index.js";
import { keySizes } from "../../../../src/protocols/tls/record12/protection.js";
import { psk } from "../../../scenarios/dtls-forms.js";
import { openDtls } from "../../../support/dtls-pair.js";
import { provider as crypto } from "../../../support/provider.js";
import { identityFor } from "../../../support/tls-pair.js";

const entropy = seededEntropy("records");
const head = new UnifiedHeader();

function pair13(suite = suites13[0] as (typeof suites13)[number], id = new Uint8Array(0)) {
  const secret = entropy.fill(new Uint8Array(suite.hash === "SHA-384" ? 48 : 32));
  const keys = () => ({ version: "1.3", suite, secret: Secret.copy(secret) }) as const;
  return {
    sealer: new Sealer13(crypto, keys(), 3, "dtls13", id),
    opener: new Opener13(crypto, keys(), 3, "dtls13"),
    idSize: id.length,
  };
}

function sealed(sealer: Sealer13 | Sealer12, text: string): Uint8Array {
  const bytes = new Uint8Array(256);
  const content = new TextEncoder().encode(text);
  bytes.set(content, sealer.headroom);
  return bytes.slice(0, sealer.seal(bytes, 0, content.length, contentType.applicationData));
}

function opened({ opener, idSize }: { opener: Opener13; idSize: number }, record: Uint8Array): string {
  const bytes = record.slice();
  assert.ok(head.read(bytes, 0, bytes.length, idSize));
  const how = opener.open(bytes, 0, head);
  if (how !== "opened") return how;
  return new TextDecoder().decode(bytes.subarray(opener.contentAt, opener.contentAt + opener.contentSize));
}

test("1.3: every suite, with and without a connection ID; numbers are hidden; nothing opens twice", () => {
  for (const suite of suites13.filter(({ aead }) => crypto.has(aead))) {
    for (const id of [new Uint8Array(0), Uint8Array.of(1, 2, 3, 4, 5)]) {
      const pair = pair13(suite, id);
      const records = ["", "a", "two", "x".repeat(100)].map((text) => sealed(pair.sealer, text));
      // Sixteen bits of number, in the clear zero to three, hidden by what they stand in front of.
      const numbers = new Set(records.map((record) => (record[1 + id.length]! << 8) | record[2 + id.length]!));
      assert.ok(
        [...numbers].some((number) => number > 3),
        suite.name,
      );
      assert.deepEqual(
        records.map((record) => opened(pair, record)),
        ["", "a", "two", "x".repeat(100)],
      );
      assert.deepEqual(opened(pair, records[2]!), "replayed");
      const damaged = sealed(pair.sealer, "damaged");
      damaged[damaged.length - 1]! ^= 1;
      assert.equal(opened(pair, damaged), "bad-record");
    }
  }
});

test("1.3: the number is found again across the wrap of what is sent of it, late and early (RFC 9147 §4.2.2)", () => {
  const pair = pair13();
  const at = (sequence: number): Uint8Array => {
    pair.sealer.sequence = sequence;
    return sealed(pair.sealer, String(sequence));
  };
  // Ahead by less than half of what is sent of it, or late by no more than the window.
  for (const sequence of [
    0, 32_000, 64_000, 65_535, 65_536, 65_534, 65_540, 65_539, 98_000, 130_000, 131_073, 131_070,
  ]) {
    assert.equal(opened(pair, at(sequence)), String(sequence));
  }
  assert.equal(opened(pair, at(131_070)), "replayed");
  assert.equal(opened(pair, at(130_500)), "replayed", "behind the window nothing is known, so nothing is taken");
  // Further ahead it is taken for an older number, which is not taken.
  assert.equal(opened(pair, at(131_073 + 40_000)), "replayed");
});

test("1.3: names can change under the same keys, and the numbers go on", () => {
  const pair = pair13(suites13[0], Uint8Array.of(1, 2, 3, 4));
  assert.equal(opened(pair, sealed(pair.sealer, "one")), "one");
  const renamed = pair.sealer.renamed(Uint8Array.of(9, 9));
  assert.equal(opened({ ...pair, idSize: 2 }, sealed(renamed, "two")), "two");
  assert.equal(renamed.sequence, 2);
});

test("1.2: every protection, with and without a connection ID; nothing opens twice, or under another number", () => {
  const kinds = new Map(suites12.map((suite) => [JSON.stringify(suite.protection), suite]));
  for (const suite of kinds.values()) {
    const sizes = keySizes(crypto, suite.protection);
    const part = (size: number) => entropy.fill(new Uint8Array(size));
    const keys = { macKey: part(sizes.mac), key: part(sizes.key), iv: part(sizes.iv) };
    for (const id of [new Uint8Array(0), Uint8Array.of(7, 7, 7, 7)]) {
      const traffic = { version: "1.2", suite, keys } as const;
      const sealer = new Sealer12(crypto, entropy, traffic, id);
      const opener = new Opener12(crypto, traffic, id);
      const open = (record: Uint8Array) => {
        const bytes = record.slice();
        const how = opener.open(bytes, 0, bytes.length);
        if (how !== "opened") return how;
        assert.equal(opener.type, contentType.applicationData);
        return new TextDecoder().decode(bytes.subarray(opener.contentAt, opener.contentAt + opener.contentSize));
      };
      const records = ["", "a", "some words", "y".repeat(64)].map((text) => sealed(sealer, text));
      assert.deepEqual(records.map(open), ["", "a", "some words", "y".repeat(64)], suite.name);
      assert.equal(open(records[1]!), "replayed");
      const moved = sealed(sealer, "moved");
      moved[10]! ^= 64;
      assert.equal(open(moved), "bad-record");
    }
  }
});

test("the suites of small devices, in both versions, end to end", async () => {
  const rows = [
    ["1.3", "TLS_AES_128_CCM_8_SHA256", { psks: [psk] }],
    ["1.3", "TLS_CHACHA20_POLY1305_SHA256", {}],
    ["1.2", "TLS_PSK_WITH_AES_128_CCM", { psks: [psk] }],
    ["1.2", "TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256", { psks: [psk] }],
    ["1.2", "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", {}],
  ] as const;
  for (const [version, suite, more] of rows) {
    const options = { versions: [version], suites: [suite], ...more };
    const pair = await openDtls({ client: options, server: options });
    assert.equal(pair.client.outcome?.suite, suite);
    await pair.say("client", "there");
    await pair.say("server", "back");
    assert.deepEqual([pair.server.received, pair.client.received], [["there"], ["back"]], suite);
  }
});

test("raw public keys both ways, and use_srtp with its MKI", async () => {
  for (const version of ["1.3", "1.2"] as const) {
    const keys = { certificateTypes: ["raw-public-key"], peerCertificateTypes: ["raw-public-key"] } as const;
    const mki = Uint8Array.of(1, 2);
    const pair = await openDtls({
      client: { versions: [version], identity: identityFor("P-256"), ...keys, srtp: { profiles: [7, 1], mki } },
      server: { clientAuthentication: "require", ...keys, srtp: { profiles: [1] } },
    });
    assert.equal(pair.client.outcome?.peer?.kind, "raw-public-key", pair.client.failure?.message);
    assert.equal(pair.server.outcome?.peer?.kind, "raw-public-key");
    assert.deepEqual(pair.client.outcome?.srtp, { profile: 1, mki });
    assert.deepEqual(pair.server.outcome?.srtp, { profile: 1, mki });
  }
});

test("whose datagram it is shows in its first bytes (RFC 7983 §7, RFC 9443 §3)", () => {
  const whose = (first: number, second = 0) => demultiplex(Uint8Array.of(first, second));
  assert.deepEqual(
    [0, 3, 4, 15, 16, 19, 20, 63, 64, 79, 80, 127, 192, 255].map((first) => whose(first)),
    [
      "stun",
      "stun",
      undefined,
      undefined,
      "zrtp",
      "zrtp",
      "dtls",
      "dtls",
      "quic",
      "quic",
      "quic",
      "quic",
      "quic",
      "quic",
    ],
  );
  assert.deepEqual([whose(128, 96), whose(128, 200), whose(191, 223)], ["rtp", "rtcp", "rtcp"]);
  assert.equal(demultiplex(Uint8Array.of(70), true), "turn-channel");
  assert.equal(demultiplex(new Uint8Array(0)), undefined);
});
