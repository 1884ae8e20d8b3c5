import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { test } from "node:test";
import { concat, fromHex, toHex, utf8 } from "../../../../src/bytes/index.js";
import { Secret } from "../../../../src/contract/index.js";
import { seededEntropy } from "../../../../src/crypto/index.js";
import {
  type Algorithms,
  allAlgorithms,
  choose,
  defaultAlgorithms,
  refusal,
  supportedBy,
} from "../../../../src/protocols/zrtp/algorithms.js";
import { MemoryZrtpCache } from "../../../../src/protocols/zrtp/cache.js";
import { contextOf, deriveKeys, kdf, secretOfDh, signalledSecret } from "../../../../src/protocols/zrtp/keys.js";
import { t1, t2 } from "../../../../src/protocols/zrtp/limits.js";
import { decodeHello, encodeHello } from "../../../../src/protocols/zrtp/messages/hello.js";
import { Retry } from "../../../../src/protocols/zrtp/retry.js";
import { renderSas } from "../../../../src/protocols/zrtp/sas.js";
import { idsOf, type KnownSecrets, match } from "../../../../src/protocols/zrtp/secrets.js";
import { evenWords, oddWords } from "../../../../src/protocols/zrtp/words.js";
import { provider } from "../../../support/provider.js";

const hash = provider.hash("SHA-256");
const bytes = (size: number, from = 1): Uint8Array => Uint8Array.from({ length: size }, (_, i) => from + i);

const said = (algorithms: Algorithms) => ({ listed: algorithms, all: algorithms });

test("Alice and Bob of RFC 6189 §4.1.2 both come to EC25", () => {
  const alice: Algorithms = { ...allAlgorithms, keyAgreements: ["DH2k", "DH3k", "EC25"] };
  const bob: Algorithms = { ...allAlgorithms, keyAgreements: ["EC38", "EC25", "DH3k"] };
  for (const [ours, theirs] of [
    [alice, bob],
    [bob, alice],
  ] as const) {
    const chosen = choose(ours, said(theirs));
    assert.ok(typeof chosen !== "string");
    assert.equal(chosen.keyAgreement, "EC25");
  }
});

test("EC38 goes with SHA-384 and a long key, and is left where there is none (§5.1.5)", () => {
  const only: Algorithms = { ...allAlgorithms, keyAgreements: ["EC38"] };
  const chosen = choose(only, said(allAlgorithms));
  assert.ok(typeof chosen !== "string");
  assert.deepEqual([chosen.hash, chosen.cipher], ["S384", "AES3"]);
  assert.equal(choose(only, said({ ...allAlgorithms, hashes: ["S256"] })), "keyAgreements");
  const blocks = { hash: "S256", cipher: "AES3", authTag: "HS80", keyAgreement: "EC38", sas: "B32 " };
  assert.deepEqual(refusal(allAlgorithms, blocks), { kind: "hashes" });
});

test("what is mandatory is at the end of a peer's lists, and what nobody knows is passed over (§5.2)", () => {
  const flags = { signatureCapable: false, mitm: false, passive: false };
  const message = encodeHello({
    client: "",
    h3: bytes(32),
    zid: bytes(12),
    flags,
    algorithms: { ...allAlgorithms, hashes: [], ciphers: ["AES3"], keyAgreements: ["X448"] },
  });
  const read = decodeHello(message)!;
  const supported = supportedBy({ ...read, algorithms: { ...read.algorithms, sas: ["WORD", "B256"] } });
  assert.deepEqual(supported.all, {
    hashes: ["S256"],
    ciphers: ["AES3", "AES1"],
    authTags: ["HS80", "HS32"],
    keyAgreements: ["X448", "DH3k"],
    sas: ["B256", "B32"],
  });
  // What we do not list we do not use, mandatory or not.
  assert.equal(choose({ ...defaultAlgorithms, keyAgreements: ["X255"] }, supported), "keyAgreements");
});

test("what a peer lists comes before what it supports without saying so", () => {
  const listed: Algorithms = { ...allAlgorithms, ciphers: ["AES3"], authTags: ["HS32"], keyAgreements: ["X448"] };
  const all: Algorithms = {
    ...listed,
    ciphers: ["AES3", "AES1"],
    authTags: ["HS32", "HS80"],
    keyAgreements: ["X448", "DH3k"],
  };
  const chosen = choose(allAlgorithms, { listed, all });
  assert.ok(typeof chosen !== "string");
  assert.deepEqual([chosen.cipher, chosen.authTag, chosen.keyAgreement], ["AES3", "HS32", "X448"]);
  const only = choose({ ...allAlgorithms, ciphers: ["AES1"], keyAgreements: ["DH3k"] }, { listed, all });
  assert.ok(typeof only !== "string");
  assert.deepEqual([only.cipher, only.keyAgreement], ["AES1", "DH3k"]);
});

test("a peer may choose only what we list", () => {
  const good = { hash: "S256", cipher: "AES1", authTag: "HS32", keyAgreement: "X255", sas: "B32 " };
  assert.ok("choice" in refusal(allAlgorithms, good));
  for (const [field, block, kind] of [
    ["hash", "N256", "hashes"],
    ["cipher", "2FS1", "ciphers"],
    ["authTag", "SK32", "authTags"],
    ["keyAgreement", "Prsh", "keyAgreements"],
    ["keyAgreement", "cons", "keyAgreements"],
    ["sas", "", "sas"],
  ] as const) {
    assert.deepEqual(refusal(allAlgorithms, { ...good, [field]: block }), { kind });
  }
});

test("the PGP Word List: its published example, two octets at a time", () => {
  const octets = fromHex("e58294f2e9a227486e8b061b31cc528fd7fa3f19");
  const words =
    "topmost Istanbul Pluto vagabond treadmill Pacific brackish dictator goldfish Medusa afflict bravado chatter revolver Dupont midsummer stopwatch whimsical cowbell bottomless";
  const rendered: string[] = [];
  for (let at = 0; at < octets.length; at += 2) {
    const sas = renderSas("B256", concat(octets.subarray(at, at + 2), new Uint8Array(30)));
    rendered.push(...sas.parts);
    assert.equal(sas.text, sas.parts.join(":"));
  }
  assert.equal(rendered.join(" "), words);
  for (const list of [evenWords, oddWords]) assert.equal(new Set(list).size, 256);
});

test("base32: 20 bits, five at a time, in the RFC's alphabet", () => {
  const text = (hex: string): string => renderSas("B32", fromHex(hex.padEnd(64, "0"))).text;
  assert.equal(text("00000000"), "yyyy");
  assert.equal(text("ffffffff"), "9999");
  // 00000 00001 00010 00011, then 12 bits that are not shown.
  assert.equal(text("00443fff"), "ybnd");
});

test("KDF: one turn of SP 800-108's counter mode (§4.5.1)", () => {
  for (const [name, node] of [
    ["SHA-256", "sha256"],
    ["SHA-384", "sha384"],
  ] as const) {
    const key = bytes(32);
    const context = bytes(56, 7);
    const expected = createHmac(node, key)
      .update(concat(fromHex("00000001"), utf8("SAS"), fromHex("00"), context, fromHex("00000070")))
      .digest("hex");
    assert.equal(toHex(kdf(provider.hash(name), key, "SAS", context, 14)), expected.slice(0, 28));
  }
});

test("s0 and all that comes of it, by the formulas of §4.4.1.4 and §4.5", () => {
  const context = { hash, zids: { initiator: bytes(12), responder: bytes(12, 50) }, totalHash: bytes(32, 100) };
  const shared = { s1: bytes(32, 3), s2: undefined, s3: bytes(20, 4) };
  const result = new Secret(bytes(32, 200));
  const parts = concat(
    fromHex("00000001"),
    bytes(32, 200),
    utf8("ZRTP-HMAC-KDF"),
    bytes(12),
    bytes(12, 50),
    bytes(32, 100),
    fromHex("00000020"),
    bytes(32, 3),
    fromHex("00000000"),
    fromHex("00000014"),
    bytes(20, 4),
  );
  const s0 = secretOfDh(context, result, shared);
  assert.ok(result.wiped);
  const expected = createHash("sha256").update(parts).digest();
  assert.equal(toHex(s0.expose()), expected.toString("hex"));
  const bound = contextOf(context);
  const byHand = (label: string, size: number): string => toHex(kdf(hash, expected, label, bound, size));
  const keys = deriveKeys(context, s0, 16, true);
  assert.ok(s0.wiped);
  assert.equal(toHex(keys.sides.initiator.srtp.key.expose()), byHand("Initiator SRTP master key", 16));
  assert.equal(toHex(keys.sides.responder.srtp.salt), byHand("Responder SRTP master salt", 14));
  assert.equal(toHex(keys.sides.responder.mac.expose()), byHand("Responder HMAC key", 32));
  assert.equal(toHex(keys.sides.initiator.zrtp.expose()), byHand("Initiator ZRTP key", 16));
  assert.equal(toHex(keys.first!.sashash), byHand("SAS", 32));
  assert.equal(toHex(keys.first!.retained.expose()), byHand("retained secret", 32));
  assert.equal(deriveKeys(context, new Secret(bytes(32)), 16, false).first, undefined);
});

test("srtps of a key that signalling gave (§8.2)", () => {
  const zids = { initiator: bytes(12), responder: bytes(12, 50) };
  const master = { key: new Secret(bytes(16)), salt: bytes(14, 90) };
  assert.equal(
    toHex(signalledSecret(hash, master, zids).expose()),
    toHex(kdf(hash, bytes(16), "SRTP Secret", concat(bytes(12), bytes(12, 50), bytes(14, 90)), 32)),
  );
});

test("which secret is shared: both sides find the same, the initiator's rs1 before its rs2 (§4.3)", () => {
  const [one, two, three] = [bytes(32, 1), bytes(32, 2), bytes(32, 3)];
  const known = (rs1?: Uint8Array, rs2?: Uint8Array): KnownSecrets => ({
    rs1,
    rs2,
    auxiliary: undefined,
    pbx: undefined,
  });
  const [h3i, h3r] = [bytes(32, 60), bytes(32, 70)];
  for (const [initiator, responder, expected] of [
    [known(one, two), known(one, two), one],
    [known(one, two), known(three, one), one],
    [known(three, one), known(one, two), one],
    [known(one, two), known(two, one), one],
    [known(one, two), known(two), two],
    [known(one), known(two), undefined],
    [known(), known(two), undefined],
  ] as const) {
    const entropy = seededEntropy("ids");
    const shownByInitiator = idsOf(hash, initiator, "initiator", h3i, entropy);
    const shownByResponder = idsOf(hash, responder, "responder", h3r, entropy);
    const atInitiator = match(hash, initiator, shownByResponder, "responder", h3r).s1;
    const atResponder = match(hash, responder, shownByInitiator, "initiator", h3i).s1;
    assert.deepEqual([atInitiator, atResponder], [expected, expected]);
  }
});

test("T1 and T2: intervals, caps and how often (§6)", () => {
  const run = (retry: Retry): { times: number; ms: number } => {
    let times = 0;
    for (let now = 0; ; ) {
      now = retry.at!;
      const due = retry.due(now);
      if (due === "give-up") return { times, ms: now };
      times++;
    }
  };
  // The schedule ends one interval behind its last retransmission: 3.75 s and 9.45 s.
  assert.deepEqual(run(new Retry(bytes(1), t1, 0)), { times: 20, ms: 3_750 + 200 });
  assert.deepEqual(run(new Retry(bytes(1), t2, 0)), { times: 10, ms: 9_450 + 1_200 });
  const longer = new Retry(bytes(1), t1, 0);
  longer.extend(62);
  assert.ok(run(longer).ms > 12_000);
});

test("a cache in memory forgets whom it has not met for longest", () => {
  const cache = new MemoryZrtpCache(2);
  const entry = { rs1: new Secret(bytes(32)), rs2: undefined, pbx: undefined, verified: false, expiresAt: undefined };
  for (const zid of ["a", "b"]) cache.set(zid, entry);
  cache.get("a");
  cache.set("c", entry);
  assert.deepEqual(
    ["a", "b", "c"].map((zid) => cache.get(zid) !== undefined),
    [true, false, true],
  );
  cache.delete("a");
  assert.equal(cache.size, 1);
});
