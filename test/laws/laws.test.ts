import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytes, opaque, struct, u8, u16, utf8, vector } from "../../src/bytes/index.js";
import type { Answer, Instant, Machine, SendBytes, StreamBytes, Transmit, Wake } from "../../src/contract/index.js";
import { codecLaws } from "./codec.js";
import { bytesOf, laws, type MachineSubject, machineLaws, sameBytes } from "./machine.js";

// The laws are tried on something that keeps them, and on things that break them one by one: a law that catches
// nothing would be worse than none.

codecLaws("of a pair with a list", {
  codec: struct({
    version: u16,
    random: opaque(4),
    items: vector(2, struct({ type: u8, body: bytes(1, { max: 20 }) })),
  }),
  values: fc.record({
    version: fc.nat(0xffff),
    random: fc.uint8Array({ minLength: 4, maxLength: 4 }),
    items: fc.array(fc.record({ type: fc.nat(255), body: fc.uint8Array({ maxLength: 20 }) }), { maxLength: 5 }),
  }),
  examples: [Uint8Array.of(3, 4, 1, 2, 3, 4, 0, 3, 7, 1, 9)],
});

type Input = Answer | SendBytes | StreamBytes | { readonly kind: "opened" };
type Event =
  | { readonly kind: "data"; readonly bytes: Uint8Array }
  | {
      readonly kind: "question";
      readonly id: number;
      readonly question: { readonly kind: "may"; readonly size: number };
    }
  | { readonly kind: "failed" };

/** What a broken machine does wrong. */
type Vice =
  | "draws"
  | "speaks first"
  | "wakes in the past"
  | "takes a wake for a deadline"
  | "keeps input"
  | "throws"
  | "speaks after failing"
  | "never ends"
  | "overruns";

/**
 * Sends length and checksum before each piece, asks before it tells of one, says "still here" a second after the last
 * input, and fails on anything that is wrong.
 */
class Toy implements Machine<Input, Event> {
  readonly #vice: Vice | undefined;
  readonly #out: Uint8Array[] = [];
  readonly #events: Event[] = [];
  readonly #asked = new Map<number, Uint8Array>();
  #kept: Uint8Array | undefined;
  #deadline: Instant | undefined;
  #count = 0;
  #hasFailed = false;

  constructor(vice: Vice | undefined) {
    this.#vice = vice;
    if (vice === "speaks first") this.#out.push(utf8("me first"));
  }

  handle(input: Input | Wake, now: Instant): void {
    if (this.#hasFailed) {
      if (this.#vice === "speaks after failing") this.#out.push(utf8("but"));
      return;
    }
    if (input.kind === "opened") this.#deadline = now + 1000;
    if (input.kind === "send") {
      const sum = input.bytes.reduce((total, byte) => (total + byte) & 0xff, 0);
      const noise = this.#vice === "draws" ? Math.floor(Math.random() * 256) : 0;
      this.#out.push(Uint8Array.of(input.bytes.length, sum, noise, ...input.bytes));
    }
    if (input.kind === "bytes") this.#bytes(input.bytes);
    if (input.kind === "answer") {
      const piece = this.#asked.get(input.id);
      this.#asked.delete(input.id);
      if (piece !== undefined && input.answer === true) this.#events.push({ kind: "data", bytes: this.#kept ?? piece });
    }
    if (input.kind === "wake" && this.#deadline !== undefined) {
      if (now < this.#deadline && this.#vice !== "takes a wake for a deadline") return;
      this.#deadline = this.#vice === "wakes in the past" ? now : undefined;
      this.#out.push(Uint8Array.of(0, 0, 0));
    }
  }

  #bytes(piece: Uint8Array): void {
    const [size, sum] = piece;
    const body = piece.subarray(3);
    if (size !== body.length || sum !== body.reduce((total, byte) => (total + byte) & 0xff, 0)) {
      if (this.#vice === "throws") throw new RangeError("a bad piece");
      this.#hasFailed = true;
      this.#deadline = undefined;
      this.#out.length = 0;
      this.#events.push({ kind: "failed" });
    } else if (size > 0) {
      if (this.#vice === "keeps input") this.#kept ??= body;
      const id = ++this.#count;
      this.#asked.set(id, body.slice());
      this.#events.push({ kind: "question", id, question: { kind: "may", size } });
    }
  }

  transmit(into: Uint8Array): Transmit | undefined {
    if (this.#vice === "never ends" && this.#count > 0) return { size: 0 };
    const next = this.#out.shift();
    if (next === undefined) return undefined;
    if (this.#vice === "overruns") return { size: into.length + 1 };
    into.set(next);
    return { size: next.length };
  }

  event(): Event | undefined {
    return this.#events.shift();
  }

  deadline(): Instant | undefined {
    return this.#deadline;
  }
}

const subject = (vice?: Vice): MachineSubject<Input, Event> => ({
  make: () => ({ a: new Toy(vice), b: new Toy(vice) }),
  opening: [
    ["a", { kind: "opened" }],
    ["b", { kind: "opened" }],
  ],
  afterwards: [
    ["a", { kind: "send", bytes: utf8("over") }],
    ["a", { kind: "send", bytes: utf8("the hills") }],
    ["b", { kind: "send", bytes: utf8("far away") }],
  ],
  arrive: (bytes) => ({ kind: "bytes", bytes }),
  answer: () => true,
  hostile: fc.oneof(
    fc.record({ kind: fc.constant("bytes" as const), bytes: fc.uint8Array({ maxLength: 20 }) }),
    fc.record({ kind: fc.constant("answer" as const), id: fc.nat(5), answer: fc.anything() }),
    fc.constant({ kind: "opened" as const }),
  ),
  succeeded: ({ a, b }) => {
    sameBytes(bytesOf(b, "data"), utf8("overthe hills"));
    sameBytes(bytesOf(a, "data"), utf8("far away"));
  },
});

machineLaws("that keeps every law", subject());

const breaks: Readonly<Record<Vice, keyof typeof laws>> = {
  draws: "the same seed gives the same bytes, events and deadlines",
  "speaks first": "no output without input",
  "wakes in the past": "two ends come to terms",
  "takes a wake for a deadline": "waking early is harmless",
  "keeps input": "input is lent: what becomes of it later changes nothing",
  throws: "a flipped bit anywhere throws nothing, and after a failure there is only silence",
  "speaks after failing": "hostile input, at any moment, throws nothing",
  "never ends": "two ends come to terms",
  overruns: "two ends come to terms",
};

for (const [vice, law] of Object.entries(breaks) as [Vice, keyof typeof laws][]) {
  test(`a machine that ${vice} is caught by "${law}"`, () => {
    assert.throws(() => laws[law](subject(vice) as never));
  });
}
