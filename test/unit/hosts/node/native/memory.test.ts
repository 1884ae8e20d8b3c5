import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { toHex } from "../../../../../src/bytes/bytes.js";
import { Failure } from "../../../../../src/contract/index.js";
import { seededEntropy } from "../../../../../src/crypto/index.js";
import { portableCrypto, portableTables } from "../../../../../src/hosts/node/crypto-portable/index.js";
import { aead } from "../../../../../src/hosts/node/native/aeads.js";
import { openNativeCrypto } from "../../../../../src/hosts/node/native/crypto.js";
import { Curve } from "../../../../../src/hosts/node/native/ecdsa.js";
import { type Libcrypto, openLibcrypto } from "../../../../../src/hosts/node/native/libcrypto.js";
import { Memory } from "../../../../../src/hosts/node/native/memory.js";
import { makePrivateKey } from "../../../../../src/pki/index.js";

const native = openNativeCrypto();
const key = new Uint8Array(16).fill(1);
const nonce = new Uint8Array(12);
const none = new Uint8Array(0);
const outOfBounds = (error: unknown) => error instanceof Failure && error.reason === "out-of-bounds";

function sealsLikePortable(memory: Uint8Array, size: number): void {
  const expected = new Uint8Array(size + 16);
  expected.set(memory.subarray(0, size));
  portableCrypto.aead("AES-128-GCM").sealer(key).seal(expected, 0, size, nonce, none);
  native.aead("AES-128-GCM").sealer(key).seal(memory, 0, size, nonce, none);
  assert.equal(toHex(memory.subarray(0, size + 16)), toHex(expected));
}

test("small arrays inside V8's heap are sealed where they are, also after a collection", () => {
  collect();
  for (let round = 0; round < 200; round++) {
    const small = new Uint8Array(20).fill(round);
    sealsLikePortable(small, 4);
    if (round % 50 === 0) collect();
    assert.equal(native.aead("AES-128-GCM").opener(key).open(small, 0, 20, nonce, none), true);
    assert.deepEqual([...small.subarray(0, 4)], [round, round, round, round]);
  }
});

test("nonces and associated data may be small arrays, slices, or part of the packet itself", () => {
  const packet = Uint8Array.from({ length: 100 }, (_, i) => i);
  const twin = packet.slice();
  for (const [provider, bytes] of [
    [native, packet],
    [portableCrypto, twin],
  ] as const) {
    provider.aead("AES-128-GCM").sealer(key).seal(bytes, 20, 60, bytes.subarray(2, 14), bytes.subarray(0, 20));
  }
  assert.equal(toHex(packet), toHex(twin));
});

test("shared memory is sealed like any other", () => {
  sealsLikePortable(new Uint8Array(new SharedArrayBuffer(64)), 48);
});

test("a detached buffer has no bytes, and is refused", () => {
  const memory = new Uint8Array(100);
  const sealer = native.aead("AES-128-GCM").sealer(key);
  const opener = native.aead("AES-128-GCM").opener(key);
  const cipher = native.cipher("AES-128-CTR").encryptor(key);
  const mac = native.hash("SHA-256").hmac(key);
  sealer.seal(memory, 0, 50, nonce, none);
  structuredClone(memory, { transfer: [memory.buffer] });
  assert.throws(() => sealer.seal(memory, 0, 50, nonce, none), outOfBounds);
  assert.throws(() => sealer.seal(memory, 0, 0, nonce, none), outOfBounds);
  assert.throws(() => opener.open(memory, 0, 50, nonce, none), outOfBounds);
  assert.equal(opener.open(memory, 0, 0, nonce, none), false);
  assert.throws(() => cipher.apply(memory, 0, 16, new Uint8Array(16)), outOfBounds);
  assert.throws(() => mac.computeInto(memory, 0, key, 0, 16), outOfBounds);
  assert.throws(() => mac.computeInto(new Uint8Array(32), 0, memory, 0, 16), outOfBounds);
});

test("a buffer that shrank is refused where it no longer reaches", () => {
  // TypeScript's library of ES2023 does not know resizable buffers yet.
  const make = ArrayBuffer as unknown as new (size: number, options: { maxByteLength: number }) => ArrayBuffer;
  const buffer = new make(4096, { maxByteLength: 8192 }) as ArrayBuffer & { resize(size: number): void };
  const tracking = new Uint8Array(buffer);
  const fixed = new Uint8Array(buffer, 0, 4096);
  const sealer = native.aead("AES-128-GCM").sealer(key);
  sealer.seal(tracking, 0, 4000, nonce, none);
  buffer.resize(64);
  assert.throws(() => sealer.seal(tracking, 0, 4000, nonce, none), outOfBounds);
  assert.throws(() => sealer.seal(fixed, 0, 16, nonce, none), outOfBounds);
  sealsLikePortable(tracking, 32);
  buffer.resize(8192);
  sealsLikePortable(tracking, 8000);
});

test("an address is asked for once a buffer, and views count from their offsets", () => {
  let asked = 0;
  const memory = new Memory(() => (asked++ === 0 ? 1000 : 5000));
  const [one, two] = [new Uint8Array(10), new Uint8Array(10)];
  assert.deepEqual(
    [one, one.subarray(3), two, one, two.subarray(9)].map((view) => memory.addressOf(view)),
    [1000, 1003, 5000, 1000, 5009],
  );
  assert.equal(asked, 2);
  assert.throws(() => new Memory(() => Number.NaN).addressOf(one), RangeError);
  assert.throws(() => new Memory(() => 0).addressOf(one), RangeError);
  assert.throws(() => new Memory(() => 2 ** 60).addressOf(one), RangeError);
});

test("contexts are freed once: by destroy, or by the collector when they leak", async () => {
  const real = openLibcrypto();
  const freed = new Map<number, number>();
  const made = new Set<number>();
  const libcrypto: Libcrypto = {
    ...real,
    call: {
      ...real.call,
      EVP_CIPHER_CTX_new: () => {
        const context = real.call.EVP_CIPHER_CTX_new();
        made.add(context);
        return context;
      },
      // Counted, and freed only at the end, so that no address comes twice.
      EVP_CIPHER_CTX_free: (context) => freed.set(context!, (freed.get(context!) ?? 0) + 1).size,
    },
  };
  const gcm = aead(libcrypto, "AES-128-GCM")!;
  const kept = gcm.sealer(key);
  (() => {
    for (let i = 0; i < 50; i++) gcm.sealer(key);
    for (let i = 0; i < 50; i++) gcm.opener(key).destroy();
  })();
  for (let i = 0; i < 50 && freed.size < 100; i++) {
    collect();
    await new Promise((resume) => setImmediate(resume));
  }
  assert.equal(made.size, 101);
  assert.equal(freed.size, 100);
  assert.ok([...freed.values()].every((times) => times === 1));
  kept.seal(new Uint8Array(20), 0, 4, nonce, none);
  kept.destroy();
  kept.destroy();
  assert.equal(freed.size, 101);
  for (const context of made) real.call.EVP_CIPHER_CTX_free(context);
});

test("keys of ECDSA are freed once, when they are collected; those that are in use are not", async () => {
  const real = openLibcrypto();
  const [made, freed] = [new Set<number>(), new Map<number, number>()];
  const libcrypto: Libcrypto = {
    ...real,
    call: {
      ...real.call,
      EVP_PKEY_CTX_new: (key) => {
        made.add(key!);
        return real.call.EVP_PKEY_CTX_new(key!, 0);
      },
      EVP_PKEY_free: (key) => {
        if (made.has(key!)) freed.set(key!, (freed.get(key!) ?? 0) + 1);
      },
    } as Libcrypto["call"],
  };
  const curve = Curve.open(libcrypto, "P-256", portableTables.hashes)!;
  const pkcs8 = makePrivateKey("P-256", seededEntropy("freed")).expose();
  const { spki } = portableCrypto.privateKey(pkcs8)!.publicKey;
  const kept = curve.privateKey(pkcs8, spki)!;
  (() => {
    for (let i = 0; i < 50; i++) curve.publicKey(spki);
  })();
  for (let i = 0; i < 50 && freed.size < 50; i++) {
    collect();
    await new Promise((resume) => setImmediate(resume));
  }
  assert.equal(made.size, 52);
  assert.equal(freed.size, 50);
  assert.ok([...freed.values()].every((times) => times === 1));
  const message = new Uint8Array(300);
  const signature = kept.sign("ECDSA-P-256-SHA-256", message);
  assert.equal(kept.publicKey.verify("ECDSA-P-256-SHA-256", message, signature), true);
  for (const key of freed.keys()) real.call.EVP_PKEY_free(key);
});

test("the choice is native, portable when turned off, and portable where addons are forbidden", () => {
  const module = new URL("../../../../../src/hosts/node/crypto.js", import.meta.url).href;
  const script = `
    import { subscribe } from "node:diagnostics_channel";
    let told = 0;
    subscribe("sealport:crypto", () => told++);
    const { chooseCrypto } = await import(${JSON.stringify(module)});
    const { provider, reason } = chooseCrypto();
    chooseCrypto();
    console.log(JSON.stringify([provider.name, reason, told]));`;
  const choose = (flags: readonly string[], environment: Record<string, string>): [string, string, number] =>
    JSON.parse(
      execFileSync(process.execPath, [...flags, "--no-warnings", "--input-type=module", "-e", script], {
        env: { ...process.env, SEALPORT_NATIVE: "", ...environment },
        encoding: "utf8",
      }),
    );
  assert.deepEqual(choose([], {}), ["native", `OpenSSL ${process.versions.openssl} in place`, 1]);
  assert.deepEqual(choose([], { SEALPORT_NATIVE: "off" }), ["portable", "SEALPORT_NATIVE=off", 1]);
  const flag = process.allowedNodeEnvironmentFlags.has("--permission") ? "--permission" : "--experimental-permission";
  const [name, reason] = choose([flag, "--allow-fs-read=*"], {});
  assert.equal(name, "portable");
  assert.match(reason, /addon/i);
});

function collect(): void {
  setFlagsFromString("--expose-gc");
  const gc: () => void = runInNewContext("gc");
  gc();
}
