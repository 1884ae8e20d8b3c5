import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { toHex } from "../../../../src/bytes/index.js";
import { Ranges } from "../../../../src/mechanisms/ranges.js";
import { makeCertificate, readRecord } from "../../../../src/protocols/minimalt/index.js";
import { limits } from "../../../../src/protocols/minimalt/limits.js";
import { PacketView } from "../../../../src/protocols/minimalt/wire/packet.js";
import { ReceiptView, writeReceipt } from "../../../../src/protocols/minimalt/wire/receipt.js";
import { type ControlRpc, decodeControl, encodeControl, isName } from "../../../../src/protocols/minimalt/wire/rpc.js";
import { authority, authorityKey, MinimaltPair, serverIdentity } from "../../../support/minimalt-pair.js";
import { provider as crypto } from "../../../support/provider.js";

const bytes = (size: number) => fc.uint8Array({ minLength: size, maxLength: size });
const u32 = fc.nat(0xffff_ffff);
const name = fc.string({ maxLength: 40 }).filter(isName);
const rpcs: fc.Arbitrary<ControlRpc> = fc.oneof(
  fc.record({ f: fc.constant("create" as const), c: u32, y: name }),
  fc.record({ f: fc.constant("createAuth" as const), c: u32, y: name, U: bytes(32), x: bytes(72) }),
  fc.record({ f: fc.constantFrom("ack" as const, "refuse" as const, "close" as const), c: u32 }),
  fc.record({ f: fc.constant("requestCert" as const), S: name }),
  fc.record({
    f: fc.constant("giveCert" as const),
    certS: fc.uint8Array({ maxLength: limits.certificateMax }),
    ecertS: fc.uint8Array({ maxLength: limits.certificateMax }),
  }),
  fc.record({ f: fc.constantFrom("ok" as const, "rekeyNow" as const) }),
  fc.record({ f: fc.constant("nextTid" as const), t: bytes(8), C: bytes(32) }),
  fc.record({ f: fc.constant("puzz" as const), q: bytes(80), H: bytes(32), w: u32, n: bytes(24) }),
  fc.record({ f: fc.constant("puzzSoln" as const), r: bytes(80), n: bytes(24) }),
  fc.record({ f: fc.constant("windowSize" as const), c: u32, n: fc.maxSafeNat() }),
);
const hold = <T>(values: fc.Arbitrary<T>, holds: (value: T) => void): void =>
  fc.assert(fc.property(values, holds), { seed: 1, numRuns: 300 });

test("control RPCs are read as they were written, and not when cut short or longer", () => {
  hold(rpcs, (rpc) => {
    const whole = encodeControl(rpc);
    const body = whole.subarray(6);
    assert.equal(new DataView(whole.buffer, whole.byteOffset).getUint16(4), body.length);
    assert.deepEqual(decodeControl(body), { ...rpc });
    for (let size = 0; size < body.length; size++) assert.equal(decodeControl(body.subarray(0, size)), undefined);
    assert.equal(decodeControl(new Uint8Array([...body, 0])), undefined);
  });
});

test("anything at all throws nothing: packets, control RPCs, receipts, records", () => {
  const [view, receipt] = [new PacketView(), new ReceiptView()];
  hold(fc.uint8Array({ maxLength: 400 }), (any) => {
    view.read(any, 0, any.length);
    decodeControl(any);
    receipt.read(any, 0, any.length);
    const read = readRecord(crypto, { certS: any, ecertS: any }, { authorities: [authorityKey] }, 0);
    assert.equal(typeof read, "string");
  });
});

test("receipts tell ranges as they are, the newest first, as many as there is room for", () => {
  const sets = fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })), {
    minLength: 1,
    maxLength: 60,
  });
  hold(fc.tuple(sets, fc.integer({ min: 22, max: 400 })), ([set, room]) => {
    const ranges = new Ranges(100);
    let at = 5;
    for (const [gap, length] of set) {
      ranges.add(at + gap, at + gap + length);
      at += gap + length;
    }
    const into = new Uint8Array(500);
    const end = writeReceipt(into, 0, ranges, 0, 12.3, room);
    assert.ok(end <= room, `${end} of ${room}`);
    const receipt = new ReceiptView();
    assert.ok(receipt.read(into, 6, end - 6));
    assert.equal(receipt.delayMs, 12.3);
    assert.equal(receipt.count, Math.min(ranges.count, limits.rangesTold, 1 + Math.floor((room - 22) / 8)));
    for (let i = 0; i < receipt.count; i++) {
      const index = ranges.count - 1 - i;
      assert.deepEqual([...receipt.bounds.subarray(2 * i, 2 * i + 2)], [ranges.from(index), ranges.to(index) - 1]);
    }
    assert.equal(receipt.read(into, 6, end - 7), false);
  });
});

test("a record with any bit flipped is refused, and so is one of another key, name or time", () => {
  const now = 1_700_000_000_000;
  const certS = makeCertificate(serverIdentity, "host.example", now + 3_600_000, authority);
  const { ecertS } = new MinimaltPair().server.record!;
  const trust = { authorities: [authorityKey], name: "host.example" };
  const read = readRecord(crypto, { certS, ecertS }, trust, now);
  assert.ok(typeof read === "object");
  assert.equal(toHex(read.key), toHex(serverIdentity.publicKey));
  for (const which of ["certS", "ecertS"] as const) {
    const record = { certS, ecertS };
    for (let at = 0; at < record[which].length; at++) {
      const wrong = record[which].slice();
      wrong[at]! ^= 1 << (at & 7);
      const judged = readRecord(crypto, { ...record, [which]: wrong }, trust, now);
      assert.equal(typeof judged, "string", `${which}, byte ${at}`);
    }
  }
  const judge = (change: object, at = now) => readRecord(crypto, { certS, ecertS }, { ...trust, ...change }, at);
  assert.equal(judge({ name: "other.example" }), "bad-record");
  assert.equal(judge({ authorities: [serverIdentity.publicKey] }), "bad-record");
  assert.equal(judge({ authorities: [], serverKey: authorityKey }), "bad-record");
  assert.equal(typeof judge({ authorities: [], serverKey: serverIdentity.publicKey }), "object");
  assert.equal(judge({}, now + 1_200_000), "expired-record");
});
