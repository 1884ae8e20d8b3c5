import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Reliable } from "../../../src/protocols/openvpn/control/reliable.js";
import { receiveWindow, sendWindow } from "../../../src/protocols/openvpn/limits.js";
import { decodeBody, encodeBody } from "../../../src/protocols/openvpn/wire/control.js";
import { nextKeyId } from "../../../src/protocols/openvpn/wire/opcodes.js";

const payload = (n: number): Uint8Array => Uint8Array.of(n);

test("packets arrive once and in order over a line that loses, repeats and turns them round", () => {
  fc.assert(
    fc.property(fc.infiniteStream(fc.nat(5)), fc.integer({ min: 1, max: 40 }), (chance, count) => {
      const [a, b] = [new Reliable(), new Reliable()];
      for (let i = 0; i < count; i++) a.send(4, payload(i));
      const delivered: number[] = [];
      let now = 0;
      const line: { id: number; payload: Uint8Array }[] = [];
      for (let round = 0; round < 2_000 && !(a.isEmpty && delivered.length === count); round++) {
        for (let packet = a.next(now); packet !== undefined; packet = a.next(now)) {
          const fate = chance.next().value!;
          if (fate === 0) continue;
          line.push({ id: packet.id, payload: packet.payload });
          if (fate === 1) line.push({ id: packet.id, payload: packet.payload });
          if (fate === 2) line.reverse();
        }
        for (const { id, payload: bytes } of line.splice(0)) b.receive(id, 4, bytes);
        for (let packet = b.deliver(); packet !== undefined; packet = b.deliver()) delivered.push(packet.payload[0]!);
        const acks = b.takeAcks(8);
        if (chance.next().value! > 0) a.acknowledged(acks);
        now = Math.max(now + 1, a.deadline() ?? now);
      }
      assert.deepEqual(
        delivered,
        Array.from({ length: count }, (_, i) => i),
      );
    }),
    { numRuns: 100 },
  );
});

test("no more than a window is on its way, and what is too far ahead is not kept", () => {
  const a = new Reliable();
  for (let i = 0; i < 20; i++) a.send(4, payload(i));
  const sent: number[] = [];
  for (let packet = a.next(0); packet !== undefined; packet = a.next(0)) sent.push(packet.id);
  assert.equal(sent.length, sendWindow);
  a.acknowledged([1, 2]);
  assert.equal(a.next(0), undefined, "the oldest is missing");
  a.acknowledged([0]);
  assert.equal(a.next(0)?.id, sendWindow);
  const b = new Reliable();
  assert.ok(b.receive(receiveWindow - 1, 4, payload(0)));
  assert.ok(!b.receive(receiveWindow, 4, payload(0)));
});

test("three acknowledgements of later packets bring a lost one again before its time", () => {
  const a = new Reliable();
  for (let i = 0; i < 5; i++) a.send(4, payload(i));
  while (a.next(0) !== undefined);
  a.acknowledged([1, 2]);
  assert.ok(!a.isDue(1));
  a.acknowledged([3]);
  assert.ok(a.isDue(1));
  assert.equal(a.next(1)?.id, 0);
  assert.equal(a.next(1), undefined);
});

test("a body is read as it was written, and none of its beginnings is one that acknowledges more", () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(0xffff_ffff), { maxLength: 8 }),
      fc.option(fc.nat(0xffff_ffff), { nil: undefined }),
      fc.uint8Array({ maxLength: 50 }),
      (acks, packetId, bytes) => {
        const body = {
          acks,
          remoteSessionId: acks.length > 0 ? new Uint8Array(8).fill(7) : undefined,
          packetId,
          payload: packetId === undefined ? new Uint8Array(0) : bytes,
        };
        const wire = encodeBody(body);
        const read = decodeBody(wire, packetId !== undefined, 8);
        assert.deepEqual(read && { ...read, payload: [...read.payload] }, { ...body, payload: [...body.payload] });
        const head = wire.length - body.payload.length;
        for (let size = 0; size < head; size++) {
          assert.equal(decodeBody(wire.subarray(0, size), packetId !== undefined, 8), undefined);
        }
      },
    ),
  );
  assert.equal(decodeBody(Uint8Array.of(9, ...new Array(60).fill(0)), true, 8), undefined);
});

test("key IDs begin at zero, and again at one", () => {
  let id = 0;
  const seen = Array.from({ length: 9 }, () => (id = nextKeyId(id)));
  assert.deepEqual(seen, [1, 2, 3, 4, 5, 6, 7, 1, 2]);
});
