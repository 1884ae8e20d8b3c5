import assert from "node:assert/strict";
import { test } from "node:test";
import { concat, equal, fromHex, toHex } from "../../src/bytes/index.js";
import { Secret } from "../../src/contract/index.js";
import {
  type EnoOutcome,
  readEnoOption,
  symCiphers,
  type TcpcryptEvent,
  TcpcryptMachine,
  tcpcryptConfig,
  writeEnoOption,
} from "../../src/protocols/tcpcrypt/index.js";
import { KeySchedule } from "../../src/protocols/tcpcrypt/keys.js";
import { readInit1, readInit2, writeInit1, writeInit2 } from "../../src/protocols/tcpcrypt/messages/init.js";
import { FrameOpener, FrameSealer } from "../../src/protocols/tcpcrypt/record/frames.js";
import { provider as crypto } from "../support/provider.js";
import { optionsOf, Recording, recordings } from "../support/tcpcrypt-captures.js";

const schedule = new KeySchedule(crypto);
const none = new Uint8Array(0);
const other = (side: "A" | "B"): "A" | "B" => (side === "A" ? "B" : "A");

/** The cipher that B chose. */
const cipherOf = (recording: Recording) => {
  const init2 = recording.secret("init2");
  return symCiphers.find(({ id }) => id === ((init2[8]! << 8) | init2[9]!))!;
};

test("there are recordings of every TEP but Curve448, and of every cipher", () => {
  const all = recordings.map((name) => new Recording(name));
  assert.deepEqual([...new Set(all.map(({ tep }) => tep.id))].sort(), [0x21, 0x22, 0x23]);
  const ciphers = new Set(all.map((each) => cipherOf(each).id));
  assert.deepEqual(
    [...ciphers].sort((a, b) => a - b),
    [0x0001, 0x0002, 0x0010],
  );
});

for (const name of recordings) {
  const recording = new Recording(name);
  const secret = (each: string) => recording.secret(each);
  const { tep } = recording;
  const cipher = cipherOf(recording);

  test(`${name}: the options are read and written as they stand, and make the transcript (RFC 8547 §4)`, () => {
    const whole = (["A", "B"] as const).map((side) => {
      const syn = recording.segments.find(({ from, flags }) => from === side && (flags & 2) !== 0)!;
      const option = optionsOf(syn.options).find(({ kind }) => kind === 69)!;
      const read = readEnoOption(option.content)!;
      assert.equal(read.b, side === "B");
      const bytes = writeEnoOption(read);
      assert.equal(toHex(bytes.subarray(2)), toHex(option.content));
      return bytes;
    });
    assert.equal(toHex(concat(...whole)), toHex(secret("eno_transcript")));
    const third = recording.segments.find(({ from, flags }) => from === "A" && (flags & 2) === 0)!;
    assert.deepEqual(optionsOf(third.options).find(({ kind }) => kind === 69)?.content, none);
  });

  test(`${name}: Init1 and Init2 are read, and written again byte for byte (RFC 8548 §4.1)`, () => {
    const [init1, init2] = [secret("init1"), secret("init2")];
    assert.ok(equal(recording.stream("A").subarray(0, init1.length), init1));
    assert.ok(equal(recording.stream("B").subarray(0, init2.length), init2));
    const [one, two] = [readInit1(init1, tep), readInit2(init2, tep)];
    assert.equal(toHex(writeInit1(tep, { ...one, share: one.share! })), toHex(init1));
    assert.equal(toHex(writeInit2(tep, { ...two, share: two.share! })), toHex(init2));
    assert.equal(toHex(one.nonce), toHex(secret("n_a")));
  });

  test(`${name}: every key is the recorded one (RFC 8548 §3.3, §3.4)`, () => {
    const es = new Secret(secret("es"));
    const prk = schedule.pseudoRandomKey(secret("n_a"), secret("eno_transcript"), secret("init1"), secret("init2"), es);
    assert.equal(toHex(prk.expose()), toHex(secret("prk")));
    assert.equal(toHex(schedule.sessionId(tep.id, prk, none)), toHex(secret("session_id")));
    assert.equal(toHex(schedule.nextSecret(prk).expose()), toHex(secret("ss1_nextk")));
    const master = schedule.masterKey(prk, none);
    assert.equal(toHex(master.expose()), toHex(secret("mk0")));
    for (const role of ["A", "B"] as const) {
      const { key, randomizer } = schedule.trafficKey(master, role, cipher);
      const recorded = secret(role === "A" ? "k_a" : "k_b");
      assert.equal(toHex(concat(key.expose(), randomizer.expose())), toHex(recorded));
    }
  });

  for (const side of ["A", "B"] as const) {
    test(`${name}: every frame of ${side} is opened, and sealed again byte for byte (RFC 8548 §3.6, §4.2)`, () => {
      const keys = () => ({ crypto, schedule, cipher, role: side, master: new Secret(secret("mk0")) });
      const [opener, sealer] = [new FrameOpener(keys()), new FrameSealer(keys())];
      const init = secret(side === "A" ? "init1" : "init2").length;
      const stream = recording.stream(side).slice(init);
      const original = stream.slice();
      let at = 0;
      for (const { offset, clen, plaintext, plaintext_flags } of recording.frames[side]) {
        assert.deepEqual([opener.offset, FrameOpener.sizeOf(stream, at)], [offset, clen + 3]);
        assert.equal(opener.open(stream, at, clen + 3), "opened");
        assert.equal(opener.isLast, (plaintext_flags & 1) !== 0);
        const data = stream.slice(opener.dataAt, opener.dataAt + opener.dataSize);
        assert.ok(toHex(data).startsWith(plaintext.replace("...", "")));
        const again = new Uint8Array(clen + 3);
        again.set(data, sealer.dataAt(0, undefined));
        sealer.seal(again, 0, data.length, opener.isLast, undefined, false);
        assert.equal(toHex(again), toHex(original.subarray(at, at + clen + 3)));
        at += clen + 3;
      }
      assert.equal(at, stream.length);
    });

    test(`${name}: our machine is ${side} against the recorded ${other(side)}, and says byte for byte what was said`, () => {
      const ground = { crypto: recording.provider(crypto, side), entropy: recording.entropy(side) };
      const ciphers = side === "A" ? readInit1(secret("init1"), tep).ciphers : [cipher.id];
      const config = tcpcryptConfig(ground, side === "A" ? "active" : "passive", {
        teps: [tep.name],
        ciphers: ciphers.map((id) => symCiphers.find((each) => each.id === id)!.name),
      });
      const outcome: EnoOutcome = {
        kind: "encrypted",
        role: side,
        tep,
        tepByte: tep.id,
        transcript: secret("eno_transcript"),
        peerAware: false,
        resumed: undefined,
      };
      const machine = new TcpcryptMachine(config, { outcome });
      const said: Uint8Array[] = [];
      const told: TcpcryptEvent[] = [];
      const drain = (): void => {
        const into = new Uint8Array(1 << 16);
        let busy = true;
        while (busy) {
          busy = false;
          for (let each = machine.transmit(into, 0); each !== undefined; each = machine.transmit(into, 0)) {
            said.push(into.slice(0, each.size));
            busy = true;
          }
          for (let event = machine.event(); event !== undefined; event = machine.event()) {
            if (event.kind === "data") told.push({ ...event, bytes: event.bytes.slice() });
            else told.push(event);
            busy = true;
          }
        }
      };
      const hear = (bytes: Uint8Array): void => {
        // One at a time: nothing says where TCP cuts (§3.3).
        for (const byte of bytes) {
          machine.handle({ kind: "bytes", bytes: Uint8Array.of(byte) }, 0);
          drain();
        }
      };
      const theirs = recording.stream(other(side));
      const theirInit = secret(side === "A" ? "init2" : "init1").length;
      machine.handle({ kind: "opened" }, 0);
      drain();
      hear(theirs.subarray(0, theirInit));
      // Each recorded frame is what one write of ours makes.
      const opener = new FrameOpener({ crypto, schedule, cipher, role: side, master: new Secret(secret("mk0")) });
      const ours = recording.stream(side).slice(secret(side === "A" ? "init1" : "init2").length);
      for (const { offset, clen } of recording.frames[side]) {
        assert.equal(opener.open(ours, offset, clen + 3), "opened");
        if (opener.dataSize > 0) {
          machine.handle({ kind: "send", bytes: ours.slice(opener.dataAt, opener.dataAt + opener.dataSize) }, 0);
        }
        if (opener.isLast) machine.handle({ kind: "close" }, 0);
        drain();
      }
      hear(theirs.subarray(theirInit));
      assert.equal(toHex(concat(...said)), toHex(recording.stream(side)));
      const confirmed = told.find((event) => event.kind === "confirmed");
      assert.ok(confirmed?.kind === "confirmed" && confirmed.outcome.encrypted);
      assert.equal(toHex(confirmed.outcome.sessionId), toHex(secret("session_id")));
      const data = concat(...told.flatMap((event) => (event.kind === "data" ? [event.bytes] : [])));
      const expected = recording.frames[other(side)].map(({ plaintext }) => plaintext);
      if (!expected.some((text) => text.endsWith("..."))) assert.equal(toHex(data), expected.join(""));
      else assert.ok(toHex(data).startsWith(expected[0]!.replace("...", "")));
      // A said FINp; B's daemon just closed, which is truncation and told as that.
      const ended = told.some(({ kind }) => kind === "ended");
      assert.equal(ended, side === "B");
      machine.handle({ kind: "end" }, 0);
      drain();
      const failed = told.find((event) => event.kind === "failed");
      assert.equal(
        failed?.kind === "failed" ? failed.failure.reason : undefined,
        ended ? undefined : "truncated-stream",
      );
    });
  }
}

test("Curve448, of which there is no recording, agrees with itself and has a public key of 56 bytes (RFC 8548 §5)", () => {
  const agreement = crypto.agreement("X448");
  const keys = agreement.initiate({ fill: (into) => into.fill(7) });
  assert.equal(keys.share.length, 56);
  assert.equal(agreement.conclude(keys.privateKey, fromHex("00".repeat(56))), undefined);
});
