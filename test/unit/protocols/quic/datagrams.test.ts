import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../../../../src/bytes/index.js";
import { DatagramQueue } from "../../../../src/protocols/quic/datagrams.js";

/** Fills a packet; answers the messages in it, and the queue's numbers for them. */
function packet(queue: DatagramQueue, room: number, now = 0): { messages: string[]; ids: number[] } {
  const bytes = new Uint8Array(room);
  const ids: number[] = [];
  const end = queue.fill(bytes, 0, room, { hold: (_kind, id) => void ids.push(id) }, now);
  const messages: string[] = [];
  for (let at = 0; at < end; at += 2 + bytes[at + 1]!) {
    assert.equal(bytes[at], 0x31);
    messages.push(new TextDecoder().decode(bytes.subarray(at + 2, at + 2 + bytes[at + 1]!)));
  }
  return { messages, ids };
}

function fates(queue: DatagramQueue): void {
  for (let event = queue.event(); event !== undefined; event = queue.event()) event.tell(event.fate);
}

test("datagrams leave in order, whole, and each has one fate", () => {
  const queue = new DatagramQueue(10_000);
  const told: string[] = [];
  for (const word of ["one", "two", "three", "four"]) {
    assert.ok(queue.push(utf8(word), undefined, (fate) => told.push(`${word} ${fate}`), 0));
  }
  const first = packet(queue, 16);
  assert.deepEqual(first.messages, ["one", "two"]);
  const second = packet(queue, 100);
  assert.deepEqual(second.messages, ["three", "four"]);
  assert.equal(queue.wants, false);
  queue.lost(first.ids[0]!);
  queue.acknowledged(first.ids[1]!);
  queue.acknowledged(first.ids[0]!);
  queue.acknowledged(second.ids[0]!);
  assert.deepEqual(told, [], "nothing is told before it is asked for");
  queue.close();
  fates(queue);
  assert.deepEqual(told, ["one lost", "two acknowledged", "three acknowledged", "four lost"]);
});

test("what has not left in its time does not leave", () => {
  const queue = new DatagramQueue(10_000);
  const told: string[] = [];
  queue.push(utf8("a"), 50, (fate) => told.push(`a ${fate}`), 100);
  queue.push(utf8("b"), 20, (fate) => told.push(`b ${fate}`), 100);
  queue.push(utf8("c"), undefined, undefined, 100);
  assert.equal(queue.deadline(), 120);
  queue.expire(120);
  assert.equal(queue.deadline(), 150);
  assert.deepEqual(packet(queue, 100, 150).messages, ["c"]);
  fates(queue);
  assert.deepEqual(told, ["b expired", "a expired"]);
  assert.equal(queue.deadline(), undefined);
});

test("a full queue says no, empty datagrams count too, and room comes back", () => {
  const queue = new DatagramQueue(640);
  for (let i = 0; i < 10; i++) assert.ok(queue.push(new Uint8Array(0), undefined, undefined, 0));
  assert.equal(queue.push(new Uint8Array(0), undefined, undefined, 0), false);
  packet(queue, 4);
  assert.ok(queue.push(new Uint8Array(100), undefined, undefined, 0));
});

test("a path that takes less drops what can never leave", () => {
  const queue = new DatagramQueue(10_000);
  const told: string[] = [];
  queue.push(new Uint8Array(1_300), undefined, (fate) => told.push(fate), 0);
  queue.push(utf8("short"), undefined, undefined, 0);
  queue.dropLonger(1_150);
  fates(queue);
  assert.deepEqual(told, ["lost"]);
  assert.deepEqual(packet(queue, 1_200).messages, ["short"]);
});
