import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concat, equal } from "../../../../src/bytes/index.js";
import { Failure } from "../../../../src/contract/index.js";
import { seededEntropy } from "../../../../src/crypto/index.js";
import { IdleTimer } from "../../../../src/mechanisms/idle.js";
import { Closing, closeMessage } from "../../../../src/protocols/quic/connection/closing.js";
import { CryptoReceiver, CryptoSender } from "../../../../src/protocols/quic/connection/crypto-stream.js";
import { Path } from "../../../../src/protocols/quic/connection/path.js";
import { recall, reducedLimit, remember } from "../../../../src/protocols/quic/connection/remembered.js";
import { FrameView } from "../../../../src/protocols/quic/wire/frame-view.js";
import { defaultParameters } from "../../../../src/protocols/quic/wire/transport-parameters.js";
import { pattern } from "../../../laws/port.js";

test("handshake bytes arrive whole, however frames are lost, repeated and reordered", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5_000 }),
      fc.array(
        fc.record({
          room: fc.integer({ min: 10, max: 600 }),
          fate: fc.constantFrom("arrives", "lost", "late", "twice"),
        }),
        { maxLength: 60 },
      ),
      (size, plan) => {
        const sender = new CryptoSender();
        const receiver = new CryptoReceiver();
        const sent = pattern(size, 1);
        sender.push(sent.slice(0, size >> 1));
        sender.push(sent.slice(size >> 1));
        const got: Uint8Array[] = [];
        const view = new FrameView();
        const deliver = (packet: Uint8Array): void => {
          for (let at = 0; at < packet.length && view.read(packet, at, packet.length); at = view.next) {
            const bytes = packet.subarray(view.dataAt, view.dataAt + view.dataSize);
            receiver.receive(view.offset, bytes, (fresh) => got.push(fresh.slice()));
          }
        };
        const late: Uint8Array[] = [];
        for (let step = 0; sender.wants && step < 2_000; step++) {
          const { room, fate } = plan[step] ?? { room: 600, fate: "arrives" };
          const held: [number, number][] = [];
          const packet = new Uint8Array(room);
          const end = sender.fill(packet, 0, room, { hold: (_kind, _id, from, to) => held.push([from, to]) });
          const bytes = packet.slice(0, end);
          if (fate === "lost") for (const [from, to] of held) sender.lost(from, to);
          else if (fate === "late") {
            late.push(bytes);
            for (const [from, to] of held) sender.lost(from, to);
          } else {
            deliver(bytes);
            if (fate === "twice") deliver(bytes);
            for (const [from, to] of held) sender.acknowledged(from, to);
          }
        }
        for (const bytes of late) deliver(bytes);
        assert.ok(equal(concat(...got), sent));
        assert.equal(receiver.hasGap, false);
      },
    ),
  );
});

test("handshake bytes too far ahead are refused with CRYPTO_BUFFER_EXCEEDED", () => {
  const receiver = new CryptoReceiver();
  receiver.receive(60_000, new Uint8Array(5_000), () => assert.fail("nothing is in order"));
  assert.throws(
    () => receiver.receive(65_530, new Uint8Array(10), () => undefined),
    (error) => error instanceof Failure && error.reason === "crypto-buffer" && error.code === 0x0d,
  );
});

const address = (port: number) => ({ address: "192.0.2.1", port });

test("a path that has proved nothing gets three times what it gave; a challenge is answered, or fails after three", () => {
  const path = new Path(address(1), address(2), { isValidated: false, isLimited: true }, new Uint8Array(8), 0);
  path.bytesReceived = 1_200;
  path.bytesSent = 1_000;
  assert.equal(path.room, 2_600);
  const entropy = seededEntropy("path");
  const take = (now: number, isFull = true) => path.takeChallenge(entropy, isFull, 100, 0, now);
  path.validate();
  assert.ok(path.wantsProbe);
  const challenges = [take(0)];
  assert.ok(!path.wantsProbe && path.isValidating);
  assert.equal(path.answered(new Uint8Array(8)), false);
  // The waits grow: 100, 200, 400 milliseconds.
  for (const at of [100, 300, 700]) {
    assert.equal(path.deadline(), at);
    const failed = path.wake(at);
    assert.equal(failed, at === 700);
    if (!failed) challenges.push(take(at));
  }
  assert.equal(new Set(challenges.map(String)).size, 3, "other bytes each time (RFC 9000 §13.3)");
  assert.equal(path.deadline(), undefined);
  assert.equal(path.isViable, false);
  assert.equal(path.answered(challenges[0]!), false, "too late");
  path.validate();
  const first = take(700, false);
  path.wake(800);
  take(800);
  assert.ok(path.answered(first), "any of them may be answered");
  assert.ok(path.isViable && path.isValidated && path.isSizeUnproved);
  assert.equal(path.room, Number.POSITIVE_INFINITY);
  path.validate();
  assert.ok(path.answered(take(900)));
  assert.equal(path.isSizeUnproved, false);
});

test("a path of which nothing is known is given its time before it is given up", () => {
  const path = new Path(address(1), address(2), { isValidated: false, isLimited: false }, new Uint8Array(8), 0);
  path.validate();
  let failed = false;
  const asked: number[] = [];
  for (let now = 0; !failed; now = path.deadline()!) {
    failed = path.wake(now);
    if (failed) break;
    path.takeChallenge(seededEntropy("path"), true, 50, 3_000, now);
    asked.push(now);
  }
  assert.deepEqual(asked, [0, 50, 150, 350, 750, 1_550]);
  assert.equal(path.isViable, false);
});

test("challenges of the peer are answered in order, and only so many are kept", () => {
  const path = new Path(address(1), address(2), { isValidated: true, isLimited: false }, new Uint8Array(0), 0);
  for (let i = 0; i < 9; i++) path.challenged(new Uint8Array(8).fill(i));
  const answers = Array.from({ length: 5 }, () => path.takeResponse()?.[0]);
  assert.deepEqual(answers, [5, 6, 7, 8, undefined]);
});

test("silence: it counts from what was heard, or the first that was asked since; keep-alives come in time", () => {
  const idle = new IdleTimer(1_000, 300, 0);
  assert.equal(idle.deadline(10, true), 300);
  assert.ok(idle.wantsPing(300));
  idle.sent(300);
  assert.equal(idle.wantsPing(600), false, "it has asked already");
  idle.sent(800);
  assert.equal(idle.deadline(10, true), 1_300, "only the first counts");
  idle.heard(900);
  assert.equal(idle.isOver(1_899, 10), false);
  assert.ok(idle.isOver(1_900, 10));
  assert.equal(idle.isOver(1_900, 500), false, "never less than three probe timeouts");
  assert.equal(new IdleTimer(0, undefined, 0).deadline(10, true), undefined);
});

test("closing tells its end ever more rarely, and is over after three timeouts; draining says nothing", () => {
  const closing = new Closing();
  closing.close(closeMessage(1, undefined, "x".repeat(500)), undefined, 0, 100);
  assert.equal(closing.message!.reason.length, 256);
  const told: number[] = [];
  for (let heard = 0; heard < 40; heard++) {
    if (closing.isDue) {
      closing.sent();
      told.push(heard);
    }
    closing.heard();
  }
  assert.deepEqual(told, [0, 1, 2, 4, 8, 16, 32]);
  closing.drain(undefined, 50, 100);
  assert.equal(closing.state, "draining");
  assert.equal(closing.isDue, false);
  assert.equal(closing.deadline(), 300);
  closing.wake(300);
  assert.equal(closing.state, "over");
  assert.equal(closing.deadline(), undefined);
});

test("limits are remembered with a version, and what has become less is named", () => {
  const before = { ...defaultParameters, initialMaxData: 1_000, initialMaxStreamsBidi: 5, maxIdleTimeoutMs: 9 };
  const found = recall(remember(0x6b33_43cf, before))!;
  assert.equal(found.version, 0x6b33_43cf);
  assert.deepEqual(found.parameters, before);
  assert.equal(reducedLimit(before, { ...before, initialMaxData: 2_000, maxIdleTimeoutMs: 1 }), undefined);
  assert.equal(reducedLimit(before, { ...before, initialMaxStreamsBidi: 4 }), "initialMaxStreamsBidi");
  assert.equal(recall(new Uint8Array(3)), undefined);
  assert.equal(recall(new Uint8Array(9).fill(255)), undefined);
});
