import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { equal, toHex } from "../../src/bytes/index.js";
import { type Answer, Failure, type Instant, type Machine, type Wake, wake } from "../../src/contract/index.js";

export type End = "a" | "b";

/** Two ends of a protocol that understand each other, and what a law needs to know to let them talk. */
export interface MachineSubject<Input, Event> {
  /** Two new machines. All that they draw comes from the seed. */
  make(seed: number): Readonly<Record<End, Machine<Input | Answer, Event>>>;
  /** The first inputs, in order: usually both are told `opened`. */
  readonly opening: readonly (readonly [End, Input])[];
  /** What the application asks for when the machines have fallen silent, one after another: send, update keys, close. */
  readonly afterwards?: readonly (readonly [End, Input])[];
  /** What the other end hears when these bytes were transmitted. */
  arrive(bytes: Uint8Array, from: End, segmentSize: number): Input;
  /** Answers a question at once, always in the same way. */
  answer?(question: never, end: End): unknown;
  /** Tells whether an event means that all is over for its machine. Default: its kind is `failed`. */
  isFailure?(event: Event): boolean;
  /** Inputs of every kind, sensible or not. */
  readonly hostile: fc.Arbitrary<Input>;
  /** Sees to it that the undisturbed conversation came to what it should: both confirmed, data arrived. */
  succeeded(events: Readonly<Record<End, readonly Event[]>>): void;
  /** Milliseconds of silence after which a conversation is over. Default 10 000. */
  readonly quietMs?: number;
  /** Size of the buffer given to `transmit`. Default 64 KiB. */
  readonly bufferSize?: number;
  readonly runs?: number;
}

/** What every machine promises. */
export function machineLaws<Input, Event>(name: string, subject: MachineSubject<Input, Event>): void {
  for (const [law, holds] of Object.entries(laws)) test(`machine ${name}: ${law}`, () => holds(subject as never));
}

type AnySubject = MachineSubject<unknown, unknown>;

export const laws = {
  "two ends come to terms": (subject: AnySubject) => {
    const talk = new Conversation(subject, 1).run();
    subject.succeeded(talk.events);
  },

  "the same seed gives the same bytes, events and deadlines": (subject: AnySubject) => {
    const log = new Conversation(subject, 7).run().log;
    assert.ok(log.length > 0);
    assert.deepEqual(new Conversation(subject, 7).run().log, log);
  },

  "no output without input": (subject: AnySubject) => {
    for (const machine of Object.values(subject.make(1))) {
      assert.equal(machine.transmit(new Uint8Array(subject.bufferSize ?? 65_536), start), undefined);
      assert.equal(machine.event(), undefined);
    }
  },

  "waking early is harmless": (subject: AnySubject) => {
    const calm = new Conversation(subject, 3).run();
    const nervous = new Conversation(subject, 3, { wakesEarly: true }).run();
    assert.deepEqual(nervous.log, calm.log);
  },

  "input is lent: what becomes of it later changes nothing": (subject: AnySubject) => {
    const calm = new Conversation(subject, 4).run();
    const scribbled = new Conversation(subject, 4, { scribbles: true }).run();
    assert.deepEqual(scribbled.log, calm.log);
  },

  "a flipped bit anywhere throws nothing, and after a failure there is only silence": (subject: AnySubject) => {
    const whole = new Conversation(subject, 5).run();
    const draw = fc.record({ message: fc.nat(Math.max(0, whole.messages - 1)), at: fc.nat(), bit: fc.nat(7) });
    fc.assert(
      fc.property(draw, ({ message, at, bit }) => {
        const tamper: Tamper = (bytes, index) => {
          if (index === message && bytes.length > 0) bytes[at % bytes.length]! ^= 1 << bit;
          return bytes;
        };
        new Conversation(subject, 5, { tamper }).run().staysSilent();
      }),
      { seed: 5, numRuns: subject.runs ?? 200 },
    );
  },

  "messages cut short, repeated or left out throw nothing": (subject: AnySubject) => {
    const whole = new Conversation(subject, 6).run();
    const draw = fc.record({
      message: fc.nat(Math.max(0, whole.messages - 1)),
      size: fc.nat(),
      what: fc.constantFrom("cut", "repeat", "drop"),
    });
    fc.assert(
      fc.property(draw, ({ message, size, what }) => {
        const tamper: Tamper = (bytes, index) => {
          if (index !== message) return bytes;
          if (what === "drop") return undefined;
          if (what === "cut") return bytes.subarray(0, size % (bytes.length + 1));
          const twice = new Uint8Array(bytes.length * 2);
          twice.set(bytes);
          twice.set(bytes, bytes.length);
          return twice;
        };
        new Conversation(subject, 6, { tamper }).run().staysSilent();
      }),
      { seed: 6, numRuns: subject.runs ?? 200 },
    );
  },

  "hostile input, at any moment, throws nothing": (subject: AnySubject) => {
    const whole = new Conversation(subject, 8).run();
    const draw = fc.tuple(
      fc.nat(whole.messages),
      fc.constantFrom<End>("a", "b"),
      fc.array(subject.hostile, { minLength: 1, maxLength: 8 }),
    );
    fc.assert(
      fc.property(draw, ([after, end, inputs]) => {
        new Conversation(subject, 8, { hostile: { after, end, inputs } }).run().staysSilent();
      }),
      { seed: 8, numRuns: subject.runs ?? 200 },
    );
  },
} as const;

type Tamper = (bytes: Uint8Array, index: number) => Uint8Array | undefined;

interface Disturbance {
  readonly wakesEarly?: boolean;
  /** Overwrites input bytes once they have been handled. */
  readonly scribbles?: boolean;
  readonly tamper?: Tamper;
  /** Gives these to an end after so many messages have arrived. */
  readonly hostile?: { readonly after: number; readonly end: End; readonly inputs: readonly unknown[] };
}

const start: Instant = Date.UTC(2026, 0, 1);
const outputsMax = 100_000;

/** Lets two machines talk in virtual time, holding each of them to the drain law at every step. */
export class Conversation {
  readonly log: string[] = [];
  readonly events: Record<End, unknown[]> = { a: [], b: [] };
  /** Transmitted so far. */
  messages = 0;
  readonly #subject: AnySubject;
  readonly #machines: Readonly<Record<End, Machine<unknown, unknown>>>;
  readonly #disturbance: Disturbance;
  readonly #inbox: { readonly to: End; readonly input: unknown; readonly bytes: Uint8Array }[] = [];
  readonly #failed = new Set<End>();
  readonly #buffer: Uint8Array;
  #now = start;
  #arrived = 0;

  constructor(subject: AnySubject, seed: number, disturbance: Disturbance = {}) {
    this.#subject = subject;
    this.#machines = subject.make(seed);
    this.#disturbance = disturbance;
    this.#buffer = new Uint8Array(subject.bufferSize ?? 65_536);
  }

  run(): this {
    this.#disturb();
    for (const [end, input] of this.#subject.opening) this.#give(end, input);
    this.#settle();
    for (const [end, input] of this.#subject.afterwards ?? []) {
      this.#give(end, input);
      this.#settle();
    }
    return this;
  }

  /** Whoever has failed answers nothing to anything, and wants nothing any more. */
  staysSilent(): void {
    for (const end of this.#failed) {
      const machine = this.#machines[end];
      assert.equal(machine.deadline(), undefined, `${end} has failed and still wants to be woken`);
      const lines = this.log.length;
      for (const [to, input] of [...this.#subject.opening, ...(this.#subject.afterwards ?? [])]) {
        if (to === end) this.#give(end, input);
      }
      this.#give(end, this.#subject.arrive(new Uint8Array(64), end === "a" ? "b" : "a", 64));
      this.#give(end, wake);
      assert.deepEqual(this.log.slice(lines), [], `${end} has failed and still speaks`);
    }
  }

  #settle(): void {
    const quietAt = this.#now + (this.#subject.quietMs ?? 10_000);
    for (let step = 0; step < outputsMax; step++) {
      const next = this.#inbox.shift();
      if (next !== undefined) {
        this.#give(next.to, next.input);
        if (this.#disturbance.scribbles) next.bytes.fill(0xa5);
        this.#arrived++;
        this.#disturb();
        continue;
      }
      const due = (["a", "b"] as const)
        .map((end) => ({ end, at: this.#machines[end].deadline() ?? Number.POSITIVE_INFINITY }))
        .sort((x, y) => x.at - y.at)[0]!;
      if (due.at > quietAt) return;
      if (this.#disturbance.wakesEarly && due.at > this.#now + 1) {
        this.#now += (due.at - this.#now) / 2;
        this.#give("a", wake);
        this.#give("b", wake);
      }
      this.#now = Math.max(this.#now, due.at);
      this.#give(due.end, wake);
      const after = this.#machines[due.end].deadline();
      assert.ok(after === undefined || after > this.#now, `${due.end} was woken and wants to be woken in the past`);
    }
    assert.fail("the conversation does not end");
  }

  #disturb(): void {
    const { hostile } = this.#disturbance;
    if (hostile !== undefined && hostile.after === this.#arrived) {
      for (const input of hostile.inputs) this.#give(hostile.end, input);
    }
  }

  #give(end: End, input: unknown): void {
    try {
      this.#machines[end].handle(input as Wake, this.#now);
    } catch (error) {
      // The application may be told at once that it asked for what cannot be; the network is never to blame.
      const isMisuse = error instanceof Failure && error.fault === "misuse";
      if (!isMisuse || lowerInputs.some((kind) => isKind(input, kind))) throw error;
    }
    this.#drain(end);
    const deadline = this.#machines[end].deadline();
    assert.ok(deadline === undefined || deadline >= this.#now, `${end} wants to be woken in the past`);
  }

  #drain(end: End): void {
    const machine = this.#machines[end];
    for (let outputs = 0; outputs < outputsMax; outputs++) {
      const transmit = machine.transmit(this.#buffer, this.#now);
      if (transmit !== undefined) {
        assert.ok(transmit.size >= 0 && transmit.size <= this.#buffer.length, "a transmit fits its buffer");
        this.#carry(end, this.#buffer.slice(0, transmit.size), transmit.segmentSize ?? transmit.size);
        continue;
      }
      const event = machine.event();
      if (event === undefined) return;
      this.log.push(`${this.#now - start} ${end} tells ${show(event)}`);
      this.events[end].push(event);
      const isFailure = this.#subject.isFailure?.(event) ?? isKind(event, "failed");
      if (isFailure) this.#failed.add(end);
      if (isKind(event, "question")) {
        const { id, question } = event as unknown as { id: number; question: never };
        machine.handle({ kind: "answer", id, answer: this.#subject.answer?.(question, end) }, this.#now);
      }
    }
    assert.fail(`${end} never stops putting out`);
  }

  #carry(from: End, bytes: Uint8Array, segmentSize: number): void {
    this.log.push(`${this.#now - start} ${from} sends ${toHex(bytes)}`);
    const arriving = this.#disturbance.tamper ? this.#disturbance.tamper(bytes.slice(), this.messages) : bytes;
    this.messages++;
    if (arriving === undefined) return;
    const to = from === "a" ? "b" : "a";
    this.#inbox.push({ to, input: this.#subject.arrive(arriving, from, segmentSize), bytes: arriving });
  }
}

const lowerInputs = ["opened", "bytes", "datagrams", "end", "closed", "wake", "answer"] as const;

function isKind(event: unknown, kind: string): event is { readonly kind: string } {
  return typeof event === "object" && event !== null && "kind" in event && event.kind === kind;
}

/** An event as text that is equal for equal events. */
function show(value: unknown, depth = 6): string {
  if (value instanceof Uint8Array) return `<${toHex(value)}>`;
  if (value instanceof Failure) return `${value.fault}/${value.reason} at ${value.at}`;
  if (typeof value === "function") return "function";
  if (typeof value !== "object" || value === null) return String(value);
  if (depth === 0) return "…";
  if (Array.isArray(value)) return `[${value.map((each) => show(each, depth - 1)).join(", ")}]`;
  return `{${Object.entries(value)
    .map(([key, each]) => `${key}: ${show(each, depth - 1)}`)
    .join(", ")}}`;
}

/** For `succeeded`: the bytes of all events of a kind, joined. */
export function bytesOf(events: readonly unknown[], kind: string): Uint8Array {
  const parts = events.flatMap((event) =>
    isKind(event, kind) && "bytes" in event && event.bytes instanceof Uint8Array ? [event.bytes] : [],
  );
  const joined = new Uint8Array(parts.reduce((size, { length }) => size + length, 0));
  parts.reduce((at, part) => {
    joined.set(part, at);
    return at + part.length;
  }, 0);
  return joined;
}

export const sameBytes = (a: Uint8Array, b: Uint8Array): void =>
  assert.ok(equal(a, b), `${toHex(a)} is not ${toHex(b)}`);
