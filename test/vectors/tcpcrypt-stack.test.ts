import assert from "node:assert/strict";
import { test } from "node:test";
import { equal, fromHex, parsePrefix, toHex } from "../../src/bytes/index.js";
import type { Host, PacketPort, PacketSink } from "../../src/contract/index.js";
import { Secret } from "../../src/contract/index.js";
import { simulate } from "../../src/hosts/simulator/index.js";
import {
  connect,
  listen,
  symCiphers,
  type TcpcryptFailure,
  type TcpcryptSession,
  type TcpcryptSink,
} from "../../src/protocols/tcpcrypt/index.js";
import { KeySchedule } from "../../src/protocols/tcpcrypt/keys.js";
import { readInit1 } from "../../src/protocols/tcpcrypt/messages/init.js";
import { FrameOpener } from "../../src/protocols/tcpcrypt/record/frames.js";
import { DeviceNetwork } from "../../src/tunnels/index.js";
import { forge, readSegment, Syn } from "../support/packets.js";
import { provider as crypto } from "../support/provider.js";
import { type RecordedSegment, Recording, recordings } from "../support/tcpcrypt-captures.js";

// The recorded stranger on the wire: his segments, with his options and his bytes, to our whole stack, which says what was said to him.

const address = { A: "10.77.0.1", B: "10.77.0.2" } as const;
type Side = keyof typeof address;

/** One side of a recording as a device of IP packets: it says its next segment when it has heard what came before. */
class Stranger implements PacketPort {
  readonly name = "stranger";
  readonly mtu = 1_500;
  readonly drops = {};
  /** What our side has sent as data, by its place. */
  readonly heard: number[] = [];
  sink: PacketSink | undefined;
  readonly #side: Side;
  readonly #said: RecordedSegment[];
  readonly #otherStart: number;
  readonly #waiting: Uint8Array[] = [];
  #ourStart: number | undefined;
  #ourPort = 0;
  #ourTime = 0;
  #end = 0;

  constructor(recording: Recording, side: Side) {
    this.#side = side;
    this.#said = recording.segments.filter(({ from }) => from === side);
    this.#otherStart = recording.segments.find(({ from, flags }) => from !== side && (flags & Syn) !== 0)!.sequence;
  }

  get ports(): readonly [number, number] {
    return this.#said[0]!.ports;
  }

  /** Says all that follows from what was heard. */
  speak(): void {
    for (let next = this.#said[0]; next !== undefined; next = this.#said[0]) {
      const isOpening = (next.flags & 16) === 0;
      const expected = isOpening ? 0 : (next.acknowledgment - this.#otherStart) >>> 0;
      if (!isOpening && (this.#ourStart === undefined || this.#end < expected)) break;
      this.#said.shift();
      // It was said twice where nobody had answered yet.
      if (isOpening && this.#said.some(({ flags }) => (flags & 18) === Syn)) continue;
      this.#waiting.push(this.#packet(next, expected));
    }
    if (this.#waiting.length > 0) this.sink?.readable();
  }

  pull(into: Uint8Array, at: number): number {
    const packet = this.#waiting.shift();
    if (packet !== undefined) into.set(packet, at);
    return packet?.length ?? 0;
  }

  send(bytes: Uint8Array, ranges: Uint32Array, count: number): void {
    for (let i = 0; i < count; i++) {
      const segment = readSegment(bytes.slice(ranges[2 * i], ranges[2 * i + 1]));
      const { flags, sequence, payload, options } = segment;
      if ((flags & Syn) !== 0) this.#ourStart = sequence;
      this.#ourPort = segment.sourcePort;
      for (let at = 0; at < options.length && options[at] !== 0; at += options[at] === 1 ? 1 : options[at + 1]!) {
        if (options[at] === 8) this.#ourTime = new DataView(options.buffer, options.byteOffset).getUint32(at + 2);
      }
      const start = (sequence - this.#ourStart!) >>> 0;
      const isSyn = (flags & Syn) !== 0;
      for (const [offset, byte] of payload.entries()) this.heard[start - 1 + offset] = byte;
      this.#end = Math.max(this.#end, start + (isSyn ? 1 : 0) + payload.length + (flags & 1));
    }
    this.speak();
  }

  /** The recorded segment, answering our numbers and our clock in place of the recorded ones. */
  #packet({ flags, sequence, ports, options, payload }: RecordedSegment, expected: number): Uint8Array {
    const echoed = options.slice();
    for (let at = 0; at < echoed.length && echoed[at] !== 0; at += echoed[at] === 1 ? 1 : echoed[at + 1]!) {
      if (echoed[at] === 8 && (flags & 16) !== 0) new DataView(echoed.buffer).setUint32(at + 6, this.#ourTime);
    }
    return forge({
      from: address[this.#side],
      to: address[this.#side === "A" ? "B" : "A"],
      sourcePort: ports[0],
      destinationPort: this.#side === "A" ? ports[1] : this.#ourPort,
      sequence,
      acknowledgment: (flags & 16) === 0 ? 0 : (this.#ourStart! + expected) >>> 0,
      flags,
      options: echoed,
      payload,
    });
  }

  close(): void {}
  ref(): void {}
  unref(): void {}
}

for (const name of recordings) {
  for (const side of ["A", "B"] as const) {
    test(`${name}: our stack is ${side}, and hears and says on the wire what was recorded`, async () => {
      const recording = new Recording(name);
      const world = simulate({ seed: name, crypto });
      const host = world.host("ours", { addresses: ["192.0.2.1"] });
      const other = side === "A" ? "B" : "A";
      const stranger = new Stranger(recording, other);
      const device = await world.finish(
        DeviceNetwork.open(
          host,
          async (sink) => {
            stranger.sink = sink;
            return stranger;
          },
          { name: "recorded", addresses: [parsePrefix(`${address[side]}/24`)!] },
        ),
      );
      const { network } = device;
      // What is drawn and agreed on for tcpcrypt is as recorded; the stack below has its own.
      const ours: Host = {
        name: host.name,
        network,
        keyLog: undefined,
        trace: undefined,
        crypto: recording.provider(crypto, side),
        entropy: recording.entropy(side),
        now: () => host.now(),
        roots: () => [],
        wakeAt: (at, call) => host.wakeAt(at, call),
        soon: (call) => host.soon(call),
      };
      const { tep } = recording;
      const init1 = readInit1(recording.secret("init1"), tep);
      const chosen = recording.secret("init2")[9]!;
      const ids = side === "A" ? init1.ciphers : [chosen];
      const options = {
        teps: side === "A" ? offeredTeps(recording) : [tep.name],
        ciphers: ids.map((id) => symCiphers.find((each) => each.id === id)!.name),
      };
      let session: TcpcryptSession | undefined;
      let failure: unknown;
      let isOver = false;
      let hasEnded = false;
      const data: number[] = [];
      const words = [...wordsOf(recording, side)];
      // Each in a frame of its own, as they were.
      const sayNext = (): void => {
        const word = words.shift();
        if (word !== undefined) session!.write(word, sayNext);
      };
      const sink: TcpcryptSink = {
        confirmed: () => {
          if (side === "A") sayNext();
        },
        bytes: (bytes) => {
          data.push(...bytes);
          // B's answer comes when all of A's question is there; A has no more to say when B's answer is.
          if (side === "B" && data.length === sizeOfData(recording, "A")) sayNext();
          if (side === "A" && data.length === sizeOfData(recording, "B")) session!.finish();
        },
        ended: () => {
          hasEnded = true;
          session!.finish();
        },
        drained: () => {},
        closed: (why) => {
          failure = why;
          isOver = true;
        },
      };
      const [sourcePort, destinationPort] = stranger.ports;
      if (side === "A") {
        const remote = { address: address.B, port: sourcePort };
        session = connect(ours, remote, options, sink, { network });
      } else {
        const listening = listen(
          ours,
          { address: address.B, port: destinationPort },
          options,
          (accepted) => {
            session = accepted;
            return sink;
          },
          { network },
        );
        await world.finish(listening);
        stranger.speak();
      }
      await world.until(() => isOver);
      assert.equal(toHex(session!.sessionId), toHex(recording.secret("session_id")));
      assert.equal(data.length, sizeOfData(recording, other));
      const said = Uint8Array.from(stranger.heard);
      const recorded = recording.stream(side);
      assert.ok(equal(said.subarray(0, recorded.length), recorded));
      // B's daemon closed without FINp: for A a truncation. A's FINp is an end, and ours answers it with one of our own.
      assert.equal(hasEnded, side === "B");
      assert.equal((failure as TcpcryptFailure | undefined)?.reason, side === "A" ? "truncated-stream" : undefined);
      assert.equal(said.length - recorded.length, side === "A" ? 0 : 20);
    });
  }
}

/** What A offered, in its order. */
function offeredTeps(recording: Recording): readonly (typeof recording.tep.name)[] {
  const transcript = recording.secret("eno_transcript");
  const ids = transcript.subarray(2, transcript[1]);
  const names = { 33: "TCPCRYPT_ECDHE_P256", 34: "TCPCRYPT_ECDHE_P521", 35: "TCPCRYPT_ECDHE_Curve25519" } as const;
  return [...ids].map((id) => names[id as keyof typeof names]);
}

const sizeOfData = (recording: Recording, side: Side): number =>
  recording.frames[side].reduce((size, { clen }) => size + clen - 17, 0);

/** The data of each frame of a side, opened with the recorded keys. */
function* wordsOf(recording: Recording, side: Side): Generator<Uint8Array> {
  const cipher = symCiphers.find(({ id }) => id === recording.secret("init2")[9])!;
  const master = new Secret(fromHex(toHex(recording.secret("mk0"))));
  const opener = new FrameOpener({ crypto, schedule: new KeySchedule(crypto), cipher, role: side, master });
  const stream = recording.stream(side).slice(recording.secret(side === "A" ? "init1" : "init2").length);
  for (const { offset, clen } of recording.frames[side]) {
    assert.equal(opener.open(stream, offset, clen + 3), "opened");
    if (opener.dataSize > 0) yield stream.slice(opener.dataAt, opener.dataAt + opener.dataSize);
  }
}
