import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concat, fromHex, toHex, utf8 } from "../../src/bytes/index.js";
import { Failure, type Instant, type SocketAddress } from "../../src/contract/index.js";
import { seededEntropy } from "../../src/crypto/index.js";
import { zlib } from "../../src/hosts/zlib.js";
import {
  type GquicClientOptions,
  GquicEndpoint,
  type GquicEvent,
  type GquicServerOptions,
  type GquicVersion,
  type KnownServer,
  MemoryKnownServers,
} from "../../src/protocols/gquic/index.js";
import { compressChain, decompressChain } from "../../src/protocols/gquic/messages/certificates.js";
import { decodeMessage, encodeMessage } from "../../src/protocols/gquic/messages/message.js";
import { Tag } from "../../src/protocols/gquic/messages/tags.js";
import { FrameView } from "../../src/protocols/gquic/wire/frames.js";
import { HeaderView } from "../../src/protocols/gquic/wire/header.js";
import { versions } from "../../src/protocols/gquic/wire/versions.js";
import { gquicIdentity, trustingServer } from "../support/gquic-pair.js";
import { provider as crypto } from "../support/provider.js";
import { startOfTime } from "../support/tls-pair.js";

type Side = "client" | "server";

interface Flying {
  readonly from: Side;
  readonly bytes: Uint8Array;
  readonly source: SocketAddress;
}

const places: Readonly<Record<Side, SocketAddress>> = {
  client: { address: "192.0.2.1", port: 50_000 },
  server: { address: "198.51.100.1", port: 443 },
};
const other = (side: Side): Side => (side === "client" ? "server" : "client");

/** Two machines, and somebody on the way between them. */
class Duel {
  now: Instant = startOfTime;
  readonly sent: Flying[] = [];
  readonly events: Record<Side, GquicEvent[]> = { client: [], server: [] };
  readonly machines: Record<Side, GquicEndpoint>;
  /** What arrives in place of a packet. */
  meddle: (packet: Flying) => readonly Flying[] = (packet) => [packet];
  readonly #buffer = new Uint8Array(65_536);
  readonly #flying: Flying[] = [];

  constructor(
    client: GquicClientOptions = {},
    server: Partial<GquicServerOptions> = {},
    seed: string | number = 1,
    machine?: GquicEndpoint,
  ) {
    const ground = (side: Side) => ({ crypto, zlib, entropy: seededEntropy(`${side} ${seed}`) });
    this.machines = {
      client: GquicEndpoint.client(ground("client"), { serverName: "server.test", ...client }, this.now),
      server: machine ?? GquicEndpoint.server(ground("server"), { identity: gquicIdentity, ...server }, this.now),
    };
    this.machines.client.handle({ kind: "opened" }, this.now);
    this.machines.server.handle({ kind: "opened" }, this.now);
  }

  connect(): this {
    this.machines.client.handle({ kind: "connect", local: places.client, remote: places.server }, this.now);
    return this.#drainAll();
  }

  deliver(to: Side, bytes: Uint8Array, source: SocketAddress = places[other(to)]): this {
    const datagram = {
      kind: "datagrams",
      bytes: bytes.slice(),
      from: source,
      to: places[to],
      segmentSize: 0,
      ecn: 0,
    } as const;
    this.machines[to].handle(datagram, this.now);
    this.drain(to);
    return this;
  }

  /** Delivers what flies, and lets time pass when nothing does. */
  run(ms: number): this {
    const end = this.now + ms;
    for (;;) {
      const packet = this.#flying.shift();
      if (packet !== undefined) {
        this.now += 1;
        for (const { bytes, source, from } of this.meddle(packet)) this.deliver(other(from), bytes, source);
        continue;
      }
      const due = (["client", "server"] as const).map(
        (side) => this.machines[side].deadline() ?? Number.POSITIVE_INFINITY,
      );
      const at = Math.min(...due);
      if (at > end) {
        this.now = end;
        return this;
      }
      this.now = Math.max(this.now, at);
      for (const side of ["client", "server"] as const) this.machines[side].handle({ kind: "wake" }, this.now);
      this.#drainAll();
    }
  }

  drain(side: Side): void {
    const machine = this.machines[side];
    for (let isDry = false; !isDry; ) {
      isDry = true;
      for (let event = machine.event(); event !== undefined; event = machine.event()) {
        isDry = false;
        this.events[side].push(event);
        if (event.kind !== "question") continue;
        const { question, id } = event;
        const answer =
          question.kind === "sign-proof"
            ? gquicIdentity.sign(question.algorithm, question.message)
            : trustingServer({ chain: question.chain, serverName: question.serverName, at: this.now });
        machine.handle({ kind: "answer", id, answer }, this.now);
      }
      for (let out = machine.transmit(this.#buffer, this.now); out; out = machine.transmit(this.#buffer, this.now)) {
        isDry = false;
        const step = out.segmentSize ?? out.size;
        for (let at = 0; at < out.size; at += step) {
          const bytes = this.#buffer.slice(at, Math.min(out.size, at + step));
          const packet = { from: side, bytes, source: places[side] };
          this.sent.push(packet);
          this.#flying.push(packet);
        }
      }
    }
    machine.deadline();
  }

  say(text: string, stream = 3): this {
    const bytes = utf8(text);
    if (!this.#opened)
      this.machines.client.handle({ kind: "open-stream", connection: 1, priority: 100, early: true }, this.now);
    this.#opened = true;
    this.machines.client.handle({ kind: "stream-write", connection: 1, stream, bytes }, this.now);
    return this.#drainAll();
  }

  #opened = false;

  heard(side: Side): string {
    const parts = this.events[side].flatMap((event) =>
      event.kind === "stream" && event.event.kind === "bytes" ? [event.event.bytes.slice()] : [],
    );
    return new TextDecoder().decode(concat(...parts));
  }

  closed(side: Side): Failure | undefined | "open" {
    const event = this.events[side].find(({ kind }) => kind === "closed");
    return event?.kind === "closed" ? event.failure : "open";
  }

  bytesFrom(side: Side): number {
    return this.sent.reduce((sum, { from, bytes }) => sum + (from === side ? bytes.length : 0), 0);
  }

  #drainAll(): this {
    this.drain("client");
    this.drain("server");
    return this;
  }
}

const all: readonly GquicVersion[] = ["Q039", "Q043", "Q044", "Q046", "Q050"];

for (const version of all) {
  test(`${version}: each byte of each packet under keys flipped: nothing is told, and the conversation goes on`, () => {
    const duel = new Duel({ versions: [version] }, { versions: [version] });
    let flips = 0;
    let packets = 0;
    const isKeyed = ({ from }: Flying) => {
      const core = duel.machines[from].connection(1)?.core;
      return core?.isConfirmed === true;
    };
    duel.meddle = (packet) => {
      const to = other(packet.from);
      if (!isKeyed(packet) || duel.machines[to].connection(1)?.core.isConfirmed !== true) return [packet];
      // A flip can claim that the connection was reset, and draws a PING: there is always one packet more.
      if (++packets > 8) return [packet];
      const told = duel.events[to].length;
      const { path } = duel.machines[to].connection(1)!.core;
      for (let at = 0; at < packet.bytes.length; at += at < 100 ? 1 : 13) {
        const wrong = packet.bytes.slice();
        wrong[at]! ^= 1 << (at & 7);
        duel.deliver(to, wrong, { address: "203.0.113.9", port: 9 });
        duel.deliver(to, wrong);
        flips++;
      }
      assert.equal(duel.events[to].length, told, "nothing is told");
      assert.equal(duel.machines[to].connection(1)!.core.path, path, "nobody has moved");
      return [packet];
    };
    duel.connect().run(300);
    duel.say("one").run(200).say("two").run(200);
    assert.equal(duel.heard("server"), "onetwo");
    assert.equal(duel.closed("client"), "open");
    assert.ok(flips > 100, `${flips}`);
  });

  test(`${version}: each byte of each packet in the clear flipped: no keys but the right ones, and nothing thrown`, () => {
    const plain = new Duel({ versions: [version] }, { versions: [version] }).connect().run(300);
    const clear = plain.sent.filter((_, i) => i < 4).map(({ bytes }) => bytes.length);
    for (const [index, size] of clear.entries()) {
      for (let at = 0; at < size; at += at < 48 ? 1 : 211) {
        const duel = new Duel({ versions: [version] }, { versions: [version] });
        let count = 0;
        duel.meddle = (packet) => {
          if (count++ !== index) return [packet];
          const bytes = packet.bytes.slice();
          bytes[Math.min(at, bytes.length - 1)]! ^= 1 << (at & 7);
          return [{ ...packet, bytes }];
        };
        duel.connect().say("x").run(9_000);
        const kinds = duel.events.client.map(({ kind }) => kind);
        if (kinds.includes("confirmed")) assert.equal(duel.heard("server"), "x");
        else assert.notEqual(duel.closed("client"), "open");
      }
    }
  });
}

test("what is cut short anywhere is dropped, and its next sending does", () => {
  for (const version of all) {
    for (let index = 0; index < 8; index++) {
      const duel = new Duel({ versions: [version] }, { versions: [version] });
      let count = 0;
      duel.meddle = (packet) =>
        count++ === index ? [{ ...packet, bytes: packet.bytes.subarray(0, packet.bytes.length >> 1) }] : [packet];
      duel.connect().say("whole").run(9_000);
      assert.equal(duel.heard("server"), "whole", `${version}, packet ${index}`);
    }
  }
});

test("early data that is played again is not taken again", () => {
  for (const version of all) {
    const known = new MemoryKnownServers();
    const first = new Duel({ known, versions: [version] }, { versions: [version] }, 1).connect().run(300);
    assert.equal(first.closed("client"), "open");
    const { server } = first.machines;
    const second = new Duel({ known, versions: [version] }, {}, 2, server);
    second.now = first.now + 10;
    second.connect().say("once").run(300);
    assert.equal(second.heard("server"), "once", version);
    // Everything that the client sent, from elsewhere, to the same server: as it is while the connection lives, and after.
    const recorded = second.sent.filter(({ from }) => from === "client");
    const told = second.events.server.length;
    for (const { bytes } of recorded) second.deliver("server", bytes, { address: "203.0.113.7", port: 7 });
    assert.equal(second.events.server.length, told, "while it lives");
    second.machines.client.handle({ kind: "close", connection: 1, code: 16, reason: "" }, second.now);
    second.drain("client");
    second.run(3_000);
    const after = second.events.server.length;
    // The address is the right one: only the nonce says that it was used.
    for (const { bytes } of recorded) second.deliver("server", bytes);
    const heard = second.events.server.slice(after).filter(({ kind }) => kind === "stream" || kind === "accepted");
    assert.deepEqual(heard, [], `${version}, after it`);
  }
});

test("spoofed hellos: what is kept is bounded, and nobody is sent more than three times what he sent", () => {
  for (const version of ["Q043", "Q050"] as const) {
    const duel = new Duel({ versions: [version] }, { versions: [version], halfOpenMax: 64 });
    duel.connect();
    const hello = duel.sent[0]!.bytes;
    duel.machines.client.handle({ kind: "abort", connection: 1 }, duel.now);
    const { server } = duel.machines;
    const before = duel.bytesFrom("server");
    const flood = 250;
    for (let i = 0; i < flood; i++) {
      // A client of its own each time: an id, and whatever makes the packet right for it.
      const other = new Duel({ versions: [version] }, {}, `flood ${i}`);
      other.connect();
      duel.deliver("server", other.sent[0]!.bytes, { address: `203.0.113.${i % 250}`, port: 1_000 + i });
      assert.ok(server.halfOpenCount <= 64, `${server.halfOpenCount} half open`);
    }
    assert.ok(server.connectionCount <= 65, `${server.connectionCount} connections`);
    assert.ok(server.counters.evicted >= flood - 65, `${server.counters.evicted} were driven out`);
    duel.meddle = () => [];
    duel.run(20_000);
    const answered = duel.bytesFrom("server") - before;
    assert.ok(answered <= 3 * flood * hello.length, `${answered} bytes for ${flood * hello.length}`);
    assert.equal(server.connectionCount, 0, "nothing is left");
  }
});

test("a Version Negotiation that somebody slips in changes nothing once the server has been heard, and is found out before", () => {
  const negotiation = (cid: Uint8Array, ...names: GquicVersion[]) =>
    concat(fromHex("8000000000"), fromHex("0008"), cid, ...names.map((name) => utf8(name)));
  const late = new Duel().connect().run(300);
  const { cid } = late.machines.client.connection(1)!.core;
  late.deliver("client", negotiation(cid, "Q043")).say("still").run(300);
  assert.equal(late.heard("server"), "still");
  assert.equal(late.machines.client.connection(1)!.core.dropped["unexpected-version-negotiation"], 1);
  // Before: the client goes down to Q043, and says with which version it began. The server has that.
  const early = new Duel();
  early.meddle = (packet) => (packet.from === "client" ? [] : [packet]);
  early.connect();
  early.meddle = (packet) => [packet];
  early.deliver("client", negotiation(early.machines.client.connection(1)!.core.cid, "Q043"));
  early.sent.length = 0;
  early.run(12_000);
  const failure = early.closed("client");
  assert.ok(failure instanceof Failure, "it ends");
});

test("a Public Reset that somebody slips in ends nothing; one that silence follows does", () => {
  for (const version of ["Q039", "Q043"] as const) {
    const duel = new Duel({ versions: [version] }, { versions: [version] }).connect().run(300);
    const { cid } = duel.machines.client.connection(1)!.core;
    const message = encodeMessage(Tag.PRST, new Map([[Tag.RNON, new Uint8Array(8)]]));
    const reset = concat(Uint8Array.of(0x0a), cid, message);
    for (let i = 0; i < 5; i++) duel.deliver("client", reset).run(400);
    duel.run(5_000).say("still here").run(300);
    assert.equal(duel.heard("server"), "still here");
    assert.equal(duel.closed("client"), "open");
    // The server forgets all, and says so itself.
    duel.machines.server = GquicEndpoint.server(
      { crypto, zlib, entropy: seededEntropy("another") },
      { identity: gquicIdentity, versions: [version] },
      duel.now,
    );
    duel.say("and now?").run(8_000);
    const failure = duel.closed("client");
    assert.ok(failure instanceof Failure && failure.reason === "public-reset", `${failure}`);
  }
});

test("a stateless reset ends a connection by its token alone", () => {
  for (const version of ["Q046", "Q050"] as const) {
    const duel = new Duel({ versions: [version] }, { versions: [version] }).connect().run(300);
    const token = duel.machines.client.connection(1)!.core.resetToken!;
    const wrong = concat(
      new Uint8Array(30).fill(0x41),
      token.map((byte) => byte ^ 1),
    );
    duel.deliver("client", wrong).run(100);
    assert.equal(duel.closed("client"), "open");
    duel.deliver("client", concat(new Uint8Array(30).fill(0x41), token)).run(100);
    const failure = duel.closed("client");
    assert.ok(failure instanceof Failure && failure.reason === "stateless-reset");
  }
});

test("a config that is known and was changed on the way gives other keys, and so nothing", () => {
  const known = new MemoryKnownServers();
  const first = new Duel({ known }).connect().run(300);
  const name = "server.test:443";
  const kept = known.get(name, startOfTime + 400)!;
  const message = decodeMessage(kept.config);
  const values = new Map(message.values);
  values.set(
    Tag.PUBS,
    values.get(Tag.PUBS)!.map((byte, i) => (i === 10 ? byte ^ 1 : byte)),
  );
  const changed: KnownServer = { ...kept, config: encodeMessage(Tag.SCFG, values) };
  const forged = { get: () => changed, set: () => undefined, delete: () => undefined };
  const duel = new Duel({ known: forged }, {}, 3, first.machines.server).connect().say("secret").run(12_000);
  assert.equal(duel.heard("server"), "");
});

test("a signature over another hello is none", () => {
  const duel = new Duel();
  const elsewhere = new Duel({}, {}, "elsewhere").connect().run(0);
  elsewhere.run(100);
  const rejection = elsewhere.sent.find(({ from }) => from === "server")!;
  duel.connect();
  // Its packets have another id, so nobody else's REJ is even read.
  duel.deliver("client", rejection.bytes).run(300).say("x").run(300);
  assert.equal(duel.heard("server"), "x");
});

test("any bytes are a message, or a failure of a known kind", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, isHello) => {
      const raw = isHello ? concat(utf8("CHLO"), bytes) : bytes;
      try {
        const message = decodeMessage(raw);
        assert.equal(toHex(encodeMessage(message.tag, message.values)), toHex(message.raw));
      } catch (error) {
        assert.ok(error instanceof Failure && error.protocol === "gQUIC", `${error}`);
      }
    }),
    { numRuns: 2_000 },
  );
});

test("any bytes are headers and frames, or none; nothing is read beyond the end", () => {
  const view = new HeaderView();
  const frame = new FrameView();
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 120 }),
      fc.constantFrom(...all),
      fc.constantFrom<Side>("client", "server"),
      fc.constantFrom(1, 2, 4, 6),
      (bytes, name, writer, numberSize) => {
        const version = versions[name];
        if (version.layout.read(view, bytes, 0, bytes.length, writer) && view.kind === "packet") {
          assert.ok(view.end <= bytes.length && view.numberAt <= bytes.length);
        }
        for (let at = 0; at < bytes.length; ) {
          const next = frame.read(version, bytes, at, bytes.length, numberSize);
          if (next < 0) return;
          assert.ok(next > at && next <= bytes.length, `${at} to ${next}`);
          at = next;
        }
      },
    ),
    { numRuns: 5_000 },
  );
});

test("a chain that was changed is another, or a failure; a bomb is not unpacked", () => {
  const { certificates } = gquicIdentity;
  const packed = compressChain(certificates, new Uint8Array(0), zlib);
  for (let at = 0; at < packed.length; at++) {
    const wrong = packed.map((byte, i) => (i === at ? byte ^ (1 << (at & 7)) : byte));
    try {
      decompressChain(wrong, [], zlib);
    } catch (error) {
      assert.ok(error instanceof Failure && error.reason === "proof-invalid");
    }
  }
  const zeros = zlib.deflate(new Uint8Array(10_000_000), new Uint8Array(0));
  const bomb = concat(fromHex("0100"), fromHex("80969800"), zeros);
  assert.throws(() => decompressChain(bomb, [], zlib), /10000000/);
  const lying = concat(fromHex("0100"), fromHex("00010000"), zeros);
  assert.throws(() => decompressChain(lying, [], zlib), /does not decompress/);
});
