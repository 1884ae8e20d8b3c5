import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Codec, concat, DecodeError, decode, encode } from "../../src/bytes/index.js";

export interface CodecSubject<T> {
  readonly codec: Codec<T>;
  readonly values: fc.Arbitrary<T>;
  /** Encodings from a specification or a real peer; they must decode, and encode to the same bytes again. */
  readonly examples?: readonly Uint8Array[];
  /** It ends with whatever is left, or has a last part that may be absent: then prefixes and trailing bytes may decode. */
  readonly isOpenEnded?: boolean;
  /** One value has several encodings: then what decodes need not encode to the same bytes. */
  readonly isAmbiguous?: boolean;
  /** Default 1; printed with a failure. */
  readonly seed?: number;
  readonly runs?: number;
}

/** What every codec promises. Every room runs this over every message that it reads. */
export function codecLaws<T>(name: string, subject: CodecSubject<T>): void {
  const { codec, values, examples = [], isOpenEnded = false, isAmbiguous = false, seed = 1, runs = 200 } = subject;
  const check = <A>(arbitrary: fc.Arbitrary<A>, holds: (value: A) => void): void =>
    fc.assert(fc.property(arbitrary, holds), { seed, numRuns: runs });

  test(`codec ${name}: what is written is read again`, () => {
    check(values, (value) => assert.deepEqual(decode(codec, encode(codec, value)), plain(value)));
    for (const example of examples) assert.deepEqual(encode(codec, decode(codec, example)), example);
  });

  if (!isOpenEnded) {
    test(`codec ${name}: no strict prefix decodes, and nothing with a byte behind it`, () => {
      const holds = (bytes: Uint8Array): void => {
        for (let size = 0; size < bytes.length; size++) {
          assert.throws(() => decode(codec, bytes.subarray(0, size)), DecodeError, `${size} of ${bytes.length} bytes`);
        }
        assert.throws(() => decode(codec, concat(bytes, Uint8Array.of(0))), DecodeError, "a byte behind the end");
      };
      check(values, (value) => holds(encode(codec, value)));
      for (const example of examples) holds(example);
    });
  }

  test(`codec ${name}: any bytes decode or raise a DecodeError, and nothing is changed by reading`, () => {
    const holds = (bytes: Uint8Array): void => {
      const before = bytes.slice();
      let value: T;
      try {
        value = decode(codec, bytes);
      } catch (error) {
        assert.ok(error instanceof DecodeError, `threw ${error}`);
        return;
      } finally {
        assert.deepEqual(bytes, before);
      }
      if (!isAmbiguous) assert.deepEqual(encode(codec, value), before);
    };
    check(fc.uint8Array({ maxLength: 300 }), holds);
    const spot = fc.record({ at: fc.nat(), to: fc.nat(255), cut: fc.nat(8), grow: fc.uint8Array({ maxLength: 4 }) });
    check(fc.tuple(values, fc.array(spot, { minLength: 1, maxLength: 4 })), ([value, spots]) => {
      let bytes = encode(codec, value);
      for (const { at, to, cut, grow } of spots) {
        if (bytes.length === 0) break;
        const place = at % bytes.length;
        bytes[place] = to;
        if (cut === 0) bytes = concat(bytes.subarray(0, place), bytes.subarray(place + 1));
        if (cut === 1) bytes = concat(bytes.subarray(0, place), grow, bytes.subarray(place));
      }
      holds(bytes);
    });
  });
}

/** Generators make some objects without a prototype; to a codec that is no difference. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== null) {
    return isPlain(value) ? Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)])) : value;
  }
  return plain({ ...value });
}

const isPlain = (value: unknown): value is object =>
  typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
