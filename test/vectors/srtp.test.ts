import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fromHex, toHex } from "../../src/bytes/index.js";
import { type CipherName, Secret } from "../../src/contract/index.js";
import { type SrtpProfileName, SrtpReceiver, SrtpSender } from "../../src/protocols/srtp/index.js";
import { KeyDerivation } from "../../src/protocols/srtp/keys.js";
import { profiles } from "../../src/protocols/srtp/profiles.js";
import { GcmRtcp, GcmRtp } from "../../src/protocols/srtp/transforms/gcm.js";
import { CounterMode, F8 } from "../../src/protocols/srtp/transforms/keystreams.js";
import { maskElements } from "../../src/protocols/srtp/wire/header-extension.js";
import { provider as crypto } from "../support/provider.js";

const load = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../../test/vectors/data/srtp/${name}.json`, import.meta.url), "utf8"));
const none = new Uint8Array(0);

interface Rfc3711 {
  readonly derivation: readonly {
    readonly section: string;
    readonly profile: SrtpProfileName;
    readonly masterKey: string;
    readonly masterSalt: string;
    readonly keys: Readonly<Record<string, string>>;
  }[];
  readonly counterMode: {
    readonly salt: string;
    readonly cases: readonly {
      readonly section: string;
      readonly cipher: CipherName;
      readonly key: string;
      readonly blocks: Readonly<Record<string, string>>;
    }[];
  };
  readonly f8: Readonly<Record<"section" | "packet" | "rollover" | "key" | "salt" | "encrypted", string>>;
  readonly headerExtension: Readonly<
    Record<"section" | "key" | "salt" | "ssrc" | "sequence" | "extension" | "encrypted", string>
  > & { readonly identifiers: readonly number[] };
}
const { derivation, counterMode, f8, headerExtension } = load("rfc3711") as Rfc3711;

for (const { section, profile, masterKey, masterSalt, keys } of derivation) {
  test(`${section}: session keys of ${profile}`, () => {
    const derive = new KeyDerivation(crypto, profiles[profile], new Secret(fromHex(masterKey)), fromHex(masterSalt));
    for (const [label, key] of Object.entries(keys)) {
      assert.equal(toHex(derive.derive(Number(label), key.length / 2, 0)), key.toLowerCase(), `label ${label}`);
    }
  });
}

for (const { section, cipher, key, blocks } of counterMode.cases) {
  test(`${section}: ${cipher}'s keystream, to its 65,282nd block`, () => {
    const keystream = new CounterMode(crypto.cipher(cipher).encryptor(fromHex(key)), fromHex(counterMode.salt));
    const bytes = new Uint8Array(65_282 * 16);
    keystream.apply(bytes, 0, 0, bytes.length, 0, 0);
    for (const [block, expected] of Object.entries(blocks)) {
      const at = Number(block) * 16;
      assert.equal(toHex(bytes.subarray(at, at + 16)), expected.toLowerCase(), `block ${block}`);
    }
  });
}

test(`${f8.section}: f8 encrypts and gives back`, () => {
  const packet = fromHex(f8.packet);
  const index = Number.parseInt(f8.rollover, 16) * 0x1_0000 + 0x5cba;
  const keystream = new F8(crypto, fromHex(f8.key), fromHex(f8.salt));
  keystream.apply(packet, 0, 12, packet.length - 12, 0x5c621599, index);
  assert.equal(toHex(packet.subarray(12)), f8.encrypted);
  keystream.apply(packet, 0, 12, packet.length - 12, 0x5c621599, index);
  assert.equal(toHex(packet), f8.packet);
});

test(`${headerExtension.section}: the elements 1, 3 and 4 of a header extension are encrypted`, () => {
  const { key, salt, ssrc, sequence, identifiers, extension, encrypted } = headerExtension;
  const packet = fromHex(`9060${sequence}00000000${ssrc}bede0006${extension}`);
  const cipher = crypto.cipher("AES-128-CTR").encryptor(fromHex(key));
  const keystream = new Uint8Array(24);
  new CounterMode(cipher, fromHex(salt)).apply(keystream, 0, 0, 24, 0xcafebabe, 0x1234);
  maskElements(packet, 0, packet.length, keystream, 0, new Set(identifiers));
  assert.equal(toHex(packet.subarray(16)), encrypted.toLowerCase());
});

interface Rfc7714 {
  readonly salt: string;
  readonly cases: readonly {
    readonly section: string;
    readonly title: string;
    readonly aead: "AES-128-GCM" | "AES-256-GCM";
    readonly does: "Encrypting" | "Decrypting" | "Tagging" | "Verifying";
    readonly input: string;
    readonly output: string | null;
  }[];
}
const rfc7714 = load("rfc7714") as Rfc7714;
const rtpIndex = 0xf17b;
const rtcpIndex = 0x5d4;

for (const { section, title, aead, does, input, output } of rfc7714.cases) {
  test(`RFC 7714 ${section}: ${title}`, () => {
    const algorithm = crypto.aead(aead);
    const key = Uint8Array.from({ length: algorithm.keySize }, (_, i) => i);
    const rtcp = section.startsWith("17");
    const bytes = new Uint8Array(200);
    bytes.set(fromHex(input));
    const size = input.length / 2;
    const seals = does === "Encrypting" || does === "Tagging";
    const encrypted = does === "Encrypting" || does === "Decrypting";
    let end: number;
    if (rtcp) {
      const transform = new GcmRtcp(algorithm, key, fromHex(rfc7714.salt), none);
      const word = (encrypted ? 0x8000_0000 : 0) + rtcpIndex;
      end = seals ? transform.seal(bytes, 0, size, word) : transform.open(bytes, 0, size, word);
    } else {
      const transform = new GcmRtp(algorithm, key, fromHex(rfc7714.salt), none);
      const body = encrypted ? 12 : seals ? size : size - algorithm.tagSize;
      end = seals
        ? transform.seal(bytes, 0, body, size, rtpIndex, false)
        : transform.open(bytes, 0, body, size, rtpIndex, false);
    }
    assert.ok(end > 0);
    // §16.1.2 and §16.2.2 print the payload alone, §16.1.4 and §16.2.4 only that it is right.
    const from = !rtcp && does === "Decrypting" ? 12 : 0;
    assert.equal(toHex(bytes.subarray(from, end)), output ?? input.slice(0, 2 * (size - algorithm.tagSize)));
  });
}

interface Rfc9335 {
  readonly profile: SrtpProfileName;
  readonly masterKey: string;
  readonly masterSalt: string;
  readonly cases: readonly { section: string; title: string; packet: string; encrypted: string }[];
}

for (const { profile, masterKey, masterSalt, cases } of Object.values(load("rfc9335") as Record<string, Rfc9335>)) {
  for (const { section, title, packet, encrypted } of cases) {
    test(`RFC 9335 ${section}: ${title}`, () => {
      const key = { key: new Secret(fromHex(masterKey)), salt: fromHex(masterSalt) };
      const options = { crypto, profile, key, cryptex: "required" } as const;
      const bytes = new Uint8Array(200);
      bytes.set(fromHex(packet), 3);
      const size = new SrtpSender(options).protect(bytes, 3, packet.length / 2);
      assert.ok(typeof size === "number", String(size));
      assert.equal(toHex(bytes.subarray(3, 3 + size)), encrypted);
      const plain = new SrtpReceiver(options).unprotect(bytes, 3, size);
      assert.ok(typeof plain === "number", String(plain));
      assert.equal(toHex(bytes.subarray(3, 3 + plain)), packet);
    });
  }
}
