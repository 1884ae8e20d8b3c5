import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { seededEntropy } from "../../../../src/crypto/index.js";
import { limits } from "../../../../src/protocols/curvecp/limits.js";
import { blockFor, MessageView, writeMessage } from "../../../../src/protocols/curvecp/messages/message.js";
import { controllers } from "../../../../src/protocols/curvecp/stream/controllers.js";
import { Flight, idOf } from "../../../../src/protocols/curvecp/stream/flight.js";
import { Receiver } from "../../../../src/protocols/curvecp/stream/receiver.js";
import { Sender } from "../../../../src/protocols/curvecp/stream/sender.js";
import { pattern } from "../../../support/curvecp-pair.js";

const silentAcknowledgement = { next: 0, ranges: new Float64Array(10), count: 0 };

/** A message with a block, as a receiver meets it. */
function block(position: number, bytes: Uint8Array, end?: "success" | "failure"): [MessageView, Uint8Array] {
  const memory = new Uint8Array(1_088);
  writeMessage(memory, 0, 1_088, 1, 0, silentAcknowledgement, position, bytes.length, end);
  memory.set(bytes, 1_088 - bytes.length);
  const view = new MessageView();
  assert.ok(view.read(memory, 0, 1_088));
  return [view, memory];
}

test("a receiver puts blocks in order, whatever order they come in, and however often", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.nat(), fc.nat(30), (count, seed, repeats) => {
      const all = pattern(count * 100 - 37, seed);
      const blocks = Array.from({ length: count }, (_, i) => i);
      for (let i = 0; i < repeats; i++) blocks.push((i * 7) % count);
      blocks.sort((a, b) => ((a * 7_919 + seed) % 101) - ((b * 7_919 + seed) % 101));
      const receiver = new Receiver(65_536);
      const got: number[] = [];
      for (const each of blocks) {
        const bytes = all.subarray(each * 100, each * 100 + 100);
        assert.equal(
          receiver.receive(...block(each * 100, bytes, each === count - 1 ? "success" : undefined)),
          "taken",
        );
        for (let part = receiver.take(); part !== undefined; part = receiver.take()) got.push(...part);
      }
      assert.deepEqual(Uint8Array.from(got), all);
      assert.ok(receiver.isWhole && receiver.isAtEnd);
      assert.equal(receiver.next, all.length + 1);
    }),
    { numRuns: 60 },
  );
});

test("what does not fit the buffer is not taken, until what is in it has been read", () => {
  const receiver = new Receiver(2_048);
  receiver.isPaused = true;
  const kilobyte = new Uint8Array(1_024).fill(5);
  assert.equal(receiver.receive(...block(1_024, kilobyte)), "taken");
  assert.equal(receiver.receive(...block(2_048, kilobyte)), "buffer-full");
  assert.equal(receiver.receive(...block(0, kilobyte)), "taken");
  assert.equal(receiver.next, 2_048);
  assert.equal(receiver.receive(...block(2_048, kilobyte)), "buffer-full");
  receiver.isPaused = false;
  let size = 0;
  for (let part = receiver.take(); part !== undefined; part = receiver.take()) size += part.length;
  assert.equal(size, 2_048);
  assert.equal(receiver.receive(...block(2_048, kilobyte)), "taken");
});

test("an end that moves is malformed, and so is what comes behind it", () => {
  const receiver = new Receiver(65_536);
  assert.equal(receiver.receive(...block(100, new Uint8Array(100), "success")), "taken");
  assert.equal(receiver.receive(...block(200, new Uint8Array(0), "success")), "taken");
  assert.equal(receiver.receive(...block(150, new Uint8Array(10), "success")), "malformed-message");
  assert.equal(receiver.receive(...block(200, new Uint8Array(1))), "malformed-message");
  assert.ok(!receiver.isWhole);
});

test("ranges above the first: the lowest, and with many gaps those about the newest block", () => {
  const receiver = new Receiver(1_048_576);
  const hundred = new Uint8Array(100);
  for (let i = 1; i <= 9; i++) receiver.receive(...block(i * 200, hundred));
  const chosen = () => {
    receiver.choose();
    return [...receiver.ranges.subarray(0, receiver.count)];
  };
  const from = (first: number) => [0, 1, 2, 3, 4].flatMap((i) => [(first + i) * 200, (first + i) * 200 + 100]);
  assert.deepEqual(chosen(), from(5));
  receiver.receive(...block(400, hundred));
  assert.deepEqual(chosen(), from(1), "what came again was not heard to be acknowledged");
  receiver.receive(...block(2_200, hundred));
  assert.equal(chosen().at(-1), 2_300);
});

test("a long range ends where a block may, and goes on in the next", () => {
  const receiver = new Receiver(1_048_576);
  const kilobyte = new Uint8Array(1_024);
  for (let i = 1; i <= 100; i++) receiver.receive(...block(i * 1_024, kilobyte));
  receiver.choose();
  assert.deepEqual([...receiver.ranges.subarray(0, receiver.count)], [1_024, 65_536, 65_536, 103_424]);
});

test("too many gaps are not taken", () => {
  const receiver = new Receiver(limits.receiveBufferMax);
  const one = new Uint8Array(1);
  let taken = 0;
  for (let i = 1; i < 2 * limits.rangesMax; i++) if (receiver.receive(...block(2 * i, one)) === "taken") taken++;
  assert.equal(taken, limits.rangesMax);
});

/** An acknowledgement, as a sender meets it. */
function acknowledges(answered: number, next: number, ...ranges: number[]): MessageView {
  const memory = new Uint8Array(192);
  const above = Float64Array.from([...ranges, ...new Array<number>(10 - ranges.length).fill(0)]);
  writeMessage(memory, 0, 192, 0, answered, { next, ranges: above, count: ranges.length }, 0, 0, undefined);
  const view = new MessageView();
  assert.ok(view.read(memory, 0, 192));
  return view;
}

const full = blockFor(1_088);
const newSender = (name: keyof typeof controllers = "cubic") =>
  new Sender(controllers[name](full, seededEntropy("sender")));

/** Everything that may go now: positions and message IDs. */
function burst(sender: Sender, now: number): { position: number; size: number; id: number; isEnd: boolean }[] {
  const into = new Uint8Array(2_000);
  const sent: { position: number; size: number; id: number; isEnd: boolean }[] = [];
  while (sender.cut(full, now)) {
    const { position, size, isEnd } = sender;
    sent.push({ position, size, isEnd, id: idOf(sender.sent(into, 0, now)) });
  }
  return sent;
}

test("a sender keeps to its window, and lets go of what ranges cover, by whole blocks", () => {
  const sender = newSender();
  sender.buffer.write(pattern(100_000), undefined);
  const first = burst(sender, 0);
  assert.equal(first.length, 10);
  sender.acknowledge(acknowledges(first[9]!.id, 3_000), 10);
  assert.equal(sender.buffer.base, 2_048, "the block that is half covered stays");
  assert.ok(!sender.buffer.letGo());
  sender.acknowledge(acknowledges(first[9]!.id, 10_240), 11);
  assert.equal(sender.buffer.base, 10_240);
});

test("three later messages that came make a block lost, and it goes again, whole", () => {
  const sender = newSender();
  sender.buffer.write(pattern(100_000), undefined);
  const first = burst(sender, 0);
  sender.acknowledge(acknowledges(first[4]!.id, 1_024, 2_048, 5_120), 10);
  const again = burst(sender, 10);
  assert.deepEqual(again[0] && [again[0].position, again[0].size], [1_024, 1_024]);
  assert.equal(sender.retransmissions, 1);
});

test("an answer without a range keeps a block from going again, until a time-out", () => {
  const sender = newSender();
  sender.buffer.write(pattern(5_000), undefined);
  sender.end = "success";
  const [first, ...others] = burst(sender, 0);
  for (const { id } of others) sender.acknowledge(acknowledges(id, 0), 10);
  assert.deepEqual(
    burst(sender, 10).map(({ position }) => position),
    [first!.position],
    "only what nobody answered",
  );
  const at = sender.deadline()!;
  assert.ok(sender.wake(at));
  assert.ok(burst(sender, at).length > 0);
  sender.acknowledge(acknowledges(0, 5_001), at + 10);
  assert.ok(sender.isDone);
  assert.equal(sender.deadline(), undefined);
});

test("an acknowledgement of what was never sent is nothing", () => {
  const sender = newSender();
  sender.buffer.write(pattern(2_000), undefined);
  burst(sender, 0);
  sender.acknowledge(acknowledges(4_000_000_000, 2 ** 40), 5);
  assert.equal(sender.buffer.base, 0);
  assert.ok(!sender.isDone);
});

test("the end of a stream is a position of its own, and goes with the last block if it is known", () => {
  const known = newSender();
  known.buffer.write(pattern(1_500), undefined);
  known.end = "success";
  const sent = burst(known, 0);
  assert.deepEqual(
    sent.map(({ position, size, isEnd }) => [position, size, isEnd]),
    [
      [0, 1_024, false],
      [1_024, 476, true],
    ],
  );
  known.acknowledge(acknowledges(0, 1_500), 1);
  assert.ok(!known.isDone);
  known.acknowledge(acknowledges(0, 1_501), 2);
  assert.ok(known.isDone);

  const late = newSender();
  late.buffer.write(pattern(100), undefined);
  burst(late, 0);
  late.end = "success";
  assert.deepEqual(
    burst(late, 1).map(({ position, size, isEnd }) => [position, size, isEnd]),
    [[100, 0, true]],
  );
});

test("a silent peer is asked less and less often, and is gone after two minutes", () => {
  const sender = newSender();
  sender.buffer.write(pattern(1_000), undefined);
  let now = 0;
  burst(sender, now);
  const waits: number[] = [];
  for (;;) {
    const at = sender.deadline()!;
    waits.push(at - now);
    now = at;
    if (!sender.wake(now)) break;
    burst(sender, now);
  }
  assert.deepEqual(waits.slice(0, 5), [1_000, 2_000, 4_000, 8_000, 10_000]);
  assert.ok(now >= 120_000 && now < 135_000);
});

test("a peer that takes nothing but lives is asked five times a second", () => {
  const sender = newSender();
  sender.buffer.write(pattern(10_000), undefined);
  burst(sender, 0);
  sender.acknowledge(acknowledges(0, 1_024), 10);
  for (let now = 10, i = 0; i < 1_000; i++) {
    now = sender.deadline()!;
    assert.ok(sender.wake(now));
    burst(sender, now);
    sender.acknowledge(acknowledges(0, 1_024), now + 1);
    assert.ok(sender.deadline()! <= now + 1 + 200);
  }
});

test("message numbers come round, and leave out zero", () => {
  const flight = new Flight();
  assert.equal(idOf(0), 1);
  assert.equal(idOf(0xffff_fffe), 0xffff_ffff);
  assert.equal(idOf(0xffff_ffff), 1);
  flight.nextSequence = flight.oldest = 0xffff_fff0;
  for (let i = 0; i < 40; i++) flight.sent(-1, i);
  for (let back = 1; back <= 40; back++) {
    const sequence = flight.nextSequence - back;
    assert.equal(flight.sequenceOf(idOf(sequence)), sequence);
  }
  assert.equal(flight.sequenceOf(0), undefined);
  assert.equal(flight.sequenceOf(12_345), undefined);
});

test("rings grow and keep what is in them", () => {
  const flight = new Flight();
  for (let i = 0; i < 1_000; i++) flight.sent(flight.add(i * 10, 10, i === 999), i);
  assert.equal(flight.bytes, 10_000);
  for (let i = 0; i < 1_000; i++) {
    assert.deepEqual([flight.position(i), flight.size(i), flight.sentAt(i)], [i * 10, 10, i]);
  }
  assert.equal(flight.behind(999), 10_001);
  assert.equal(flight.at(5_005), 501);
  for (let i = 0; i < 999; i++) flight.acknowledged(i);
  flight.forget();
  assert.equal(flight.first, 999);
  assert.equal(flight.bytes, 10);
});

for (const name of ["chicago", "cubic", "new-reno", "bbr"] as const) {
  test(`${name} brings a stream over a pipe of a megabyte a second with 20 ms each way`, () => {
    const sender = newSender(name);
    const receiver = new Receiver(1_048_576);
    const all = pattern(300_000);
    sender.buffer.write(all, undefined);
    sender.end = "success";
    const arrivals: { at: number; view: MessageView; memory: Uint8Array }[] = [];
    const answers: { at: number; view: MessageView }[] = [];
    let now = 0;
    let free = 0;
    let got = 0;
    for (let steps = 0; !sender.isDone && steps < 200_000; steps++) {
      while (sender.cut(full, now)) {
        const data = new Uint8Array(sender.size);
        const { position, isEnd } = sender;
        const id = idOf(sender.sent(data, 0, now));
        const [view, memory] = block(position, data, isEnd ? "success" : undefined);
        view.id = id;
        free = Math.max(free, now) + 1;
        if (free - now < 60) arrivals.push({ at: free + 20, view, memory }); // sixty blocks wait, and no more
      }
      const times = [arrivals[0]?.at, answers[0]?.at, sender.deadline()].filter((each) => each !== undefined);
      now = Math.max(now, Math.min(...times));
      while (arrivals[0] !== undefined && arrivals[0].at <= now) {
        const { view, memory } = arrivals.shift()!;
        receiver.receive(view, memory);
        for (let part = receiver.take(); part !== undefined; part = receiver.take()) got += part.length;
        receiver.choose();
        const ranges = [...receiver.ranges.subarray(0, receiver.count)];
        answers.push({ at: now + 20, view: acknowledges(view.id, receiver.next, ...ranges) });
      }
      while (answers[0] !== undefined && answers[0].at <= now) sender.acknowledge(answers.shift()!.view, now);
      assert.ok(sender.wake(now));
    }
    assert.ok(sender.isDone, `at ${now} ms`);
    assert.equal(got, all.length);
  });
}
