import assert from "node:assert/strict";
import { test } from "node:test";
import { seededEntropy } from "../../../../src/crypto/index.js";
import { Heartbeats } from "../../../../src/protocols/dtls/association/heartbeats.js";
import { heartbeatMode } from "../../../../src/protocols/dtls/handshake/heartbeat-mode.js";
import { limits } from "../../../../src/protocols/dtls/limits.js";
import { plainHeaderSize } from "../../../../src/protocols/dtls/record/content-type.js";
import { PlainSealer } from "../../../../src/protocols/dtls/record/protection.js";

const sealer = new PlainSealer();
const made = (seed: string) => new Heartbeats(seededEntropy(seed));
const into = new Uint8Array(4_096);

/** The content of what was sealed last. */
const content = (size: number): Uint8Array => into.slice(plainHeaderSize, size);

function message(type: number, claimed: number, payload: Uint8Array, padding: number): Uint8Array {
  return Uint8Array.of(type, claimed >> 8, claimed & 255, ...payload, ...new Uint8Array(padding));
}

const receive = (heartbeats: Heartbeats, bytes: Uint8Array) => heartbeats.receive(bytes, 0, bytes.length);

test("a request has the size that was asked for, and its answer the same payload and little else", () => {
  const [us, them] = [made("us"), made("them")];
  const request = content(us.ask(into, sealer, 1_000));
  assert.equal(request.length, 1_000);
  assert.equal(receive(them, request), "asked");
  const answer = content(them.answer(into, sealer, 1_000));
  assert.ok(answer.length >= 3 + 16 + 16 && answer.length < 64, "an answer is no larger than the question");
  assert.equal(them.answer(into, sealer, 1_000), 0, "one answer to one request");
  assert.equal(receive(us, answer), "answered");
  assert.equal(receive(us, answer), "malformed", "once");
});

test("a length beyond the message is answered by nothing (RFC 6520 §4)", () => {
  const them = made("them");
  const payload = new Uint8Array(8).fill(7);
  for (const claimed of [9, 24, 25, 1_000, 0x4000, 0xffff]) {
    assert.equal(receive(them, message(1, claimed, payload, 16)), "malformed", `${claimed}`);
    assert.equal(them.answer(into, sealer, 4_000), 0);
  }
  assert.equal(receive(them, message(1, 8, payload, 15)), "malformed", "too little padding");
  for (let size = 0; size < 19; size++) assert.equal(receive(them, new Uint8Array(size)), "malformed");
  const large = new Uint8Array(limits.heartbeatPayloadMax + 1);
  assert.equal(receive(them, message(1, large.length, large, 16)), "malformed", "more than we answer");
});

test("an answer that we did not ask for, or to another question, is none", () => {
  const us = made("us");
  const payload = new Uint8Array(16).fill(1);
  assert.equal(receive(us, message(2, 16, payload, 16)), "malformed");
  const request = content(us.ask(into, sealer, 200));
  assert.equal(receive(us, message(2, 16, payload, 16)), "malformed");
  us.giveUp();
  assert.equal(receive(us, message(2, 16, request.subarray(3, 19), 16)), "malformed", "too late");
});

test("an answer that does not fit a datagram is not given", () => {
  const them = made("them");
  const payload = new Uint8Array(500);
  assert.equal(receive(them, message(1, 500, payload, 16)), "asked");
  assert.equal(them.answer(into, sealer, 400), 0);
});

test("a mode that does not exist is an illegal parameter (§2)", () => {
  for (const data of [[], [0], [3], [1, 1]]) {
    assert.throws(() => heartbeatMode(Uint8Array.from(data)), { reason: "illegal-parameter" });
  }
});
