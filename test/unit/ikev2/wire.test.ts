import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DecodeError } from "../../../src/bytes/index.js";
import { readRedirect, redirectData } from "../../../src/protocols/ikev2/redirect.js";
import { readSignature } from "../../../src/protocols/ikev2/signatures.js";
import { readHeader } from "../../../src/protocols/ikev2/wire/header.js";
import { PayloadType } from "../../../src/protocols/ikev2/wire/numbers.js";
import { type Payload, type PayloadKind, readChain, writeChain } from "../../../src/protocols/ikev2/wire/payloads.js";

const bytes = (maxLength: number, minLength = 0) => fc.uint8Array({ minLength, maxLength });
const u8 = fc.nat(255);
const u16 = fc.nat(65_535);
const selector = fc
  .constantFrom(4, 16)
  .chain((size) =>
    fc.record({ protocol: u8, startPort: u16, endPort: u16, start: bytes(size, size), end: bytes(size, size) }),
  );
const transform = fc
  .record({ type: u8, id: u16, keyBits: fc.option(u16, { nil: undefined }) })
  .map(({ keyBits, ...rest }) => (keyBits === undefined ? rest : { ...rest, keyBits }));
const proposal = fc.record({
  number: u8,
  protocol: u8,
  spi: bytes(8),
  transforms: fc.array(transform, { minLength: 1, maxLength: 6 }),
});
const selectors = { selectors: fc.array(selector, { minLength: 1, maxLength: 4 }) };
const id = { type: u8, data: bytes(40) };

const bodies: { readonly [K in PayloadKind]: Record<string, fc.Arbitrary<unknown>> } = {
  SA: { proposals: fc.array(proposal, { minLength: 1, maxLength: 4 }) },
  KE: { group: u16, share: bytes(64) },
  IDi: id,
  IDr: id,
  CERT: { encoding: u8, certificate: bytes(40) },
  CERTREQ: { encoding: u8, authorities: bytes(40) },
  AUTH: { method: u8, data: bytes(40) },
  Nonce: { nonce: bytes(256, 16) },
  N: { type: u16, protocol: u8, spi: bytes(8), data: bytes(40) },
  D: { protocol: u8, spis: fc.array(bytes(4, 4), { maxLength: 4 }) },
  V: { vendor: bytes(40) },
  TSi: selectors,
  TSr: selectors,
  CP: { type: u8, attributes: fc.array(fc.record({ type: fc.nat(0x7fff), value: bytes(20) }), { maxLength: 4 }) },
  EAP: { message: bytes(40) },
};
const kinds = Object.keys(bodies) as PayloadKind[];
const payload = fc
  .constantFrom(...kinds)
  .chain((kind) => fc.record(bodies[kind]).map((body) => ({ kind, ...body }) as unknown as Payload));

/** Without the prototypes that values of fast-check lack. */
const plain = (payloads: readonly Payload[]): unknown => structuredClone(payloads);

test("every chain of payloads that is written is read again, and no prefix of it", () => {
  fc.assert(
    fc.property(fc.array(payload, { minLength: 1, maxLength: 5 }), (payloads) => {
      const chain = writeChain(payloads);
      assert.deepEqual(plain(readChain(chain.bytes, 0, chain.first).payloads), plain(payloads));
      for (let size = 0; size < chain.bytes.length; size += 3) {
        assert.throws(() => readChain(chain.bytes.subarray(0, size), 0, chain.first), DecodeError);
      }
    }),
    { seed: 1 },
  );
});

test("any bytes parse or raise a DecodeError, and nothing else", () => {
  const types = [...Object.values(PayloadType), 49, 200];
  fc.assert(
    fc.property(fc.constantFrom(...types), fc.uint8Array({ maxLength: 200 }), (type, noise) => {
      for (const read of [() => readChain(noise, 0, type), () => readHeader(noise)]) {
        try {
          read();
        } catch (error) {
          assert.ok(error instanceof DecodeError, String(error));
        }
      }
      readSignature(noise);
      readRedirect(noise, 16);
    }),
    { seed: 1, numRuns: 2_000 },
  );
});

test("a byte changed in a chain of payloads parses or raises a DecodeError", () => {
  fc.assert(
    fc.property(fc.array(payload, { minLength: 1, maxLength: 4 }), fc.nat(), u8, (payloads, at, value) => {
      const chain = writeChain(payloads);
      const changed = chain.bytes.slice();
      changed[at % changed.length] = value;
      try {
        readChain(changed, 0, chain.first);
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error));
      }
    }),
    { seed: 1, numRuns: 1_000 },
  );
});

test("gateways of all sorts", () => {
  for (const gateway of ["192.0.2.1", "2001:db8::1", "gateway.test"]) {
    const nonce = new Uint8Array(32).fill(7);
    assert.deepEqual(readRedirect(redirectData(gateway, nonce), 32), { gateway, nonce });
  }
});
