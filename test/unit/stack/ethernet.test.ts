import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromHex, parseAddress, parsePrefix, toHex } from "../../../src/bytes/index.js";
import { type Instant, wake } from "../../../src/contract/index.js";
import { seededEntropy } from "../../../src/crypto/index.js";
import { EthernetLink, type LinkEvent, Stack } from "../../../src/stack/index.js";
import { neighbourQueueMax, neighboursMax } from "../../../src/stack/limits.js";
import { provider } from "../../support/provider.js";
import { pattern } from "./pair.js";

const ours = fromHex("020000000001")!;

/** Links on one wire that all hear, in virtual time; frames take a millisecond. */
class Wire {
  now: Instant = 1_700_000_000_000;
  readonly links: EthernetLink[] = [];
  readonly frames: string[] = [];
  readonly events: LinkEvent[][] = [];
  filter: (frame: Uint8Array, from: number) => boolean = () => true;
  readonly #entropy = seededEntropy(5);

  chance(): void {
    this.#entropy.fill(new Uint8Array(2));
  }

  add(addresses: readonly string[], gateways: readonly string[] = [], isTested = false): EthernetLink {
    const stack = new Stack({
      crypto: provider,
      entropy: this.#entropy,
      addresses: addresses.map((text) => parsePrefix(text)!),
      mtu: 1_500,
    });
    const address = Uint8Array.of(2, 0, 0, 0, 0, this.links.length + 1);
    const link = new EthernetLink(stack, {
      address,
      gateways: gateways.map((text) => parseAddress(text)!),
      ...(isTested && { test: { entropy: this.#entropy, from: this.now } }),
    });
    this.links.push(link);
    this.events.push([]);
    return link;
  }

  give(to: number, frame: Uint8Array): void {
    const ranges = Uint32Array.of(0, frame.length);
    this.links[to]!.handle({ kind: "frames", bytes: frame.slice(), ranges, count: 1 }, this.now);
  }

  run(ms: number): void {
    const end = this.now + ms;
    for (; this.now <= end; this.now++) {
      const flying: [number, Uint8Array][] = [];
      for (const [i, link] of this.links.entries()) {
        if ((link.deadline() ?? Number.POSITIVE_INFINITY) <= this.now) link.handle(wake, this.now);
        const buffer = new Uint8Array(1_600);
        for (let size = link.pull(buffer, 0, this.now); size > 0; size = link.pull(buffer, 0, this.now)) {
          const frame = buffer.slice(0, size);
          this.frames.push(toHex(frame));
          if (this.filter(frame, i)) flying.push([i, frame]);
        }
      }
      for (const [from, frame] of flying) for (const i of this.links.keys()) if (i !== from) this.give(i, frame);
      for (const [i, link] of this.links.entries()) {
        for (let event = link.event(); event !== undefined; event = link.event()) {
          if (event.kind === "data") event.connection.consumed(event.bytes.length);
          this.events[i]!.push(event);
        }
      }
    }
  }
}

for (const [family, addresses] of Object.entries({
  4: ["10.0.0.1/24", "10.0.0.2/24", "10.0.0.3/24"],
  6: ["fd00::1/64", "fd00::2/64", "fd00::3/64"],
})) {
  test(`IPv${family}: a neighbour is asked for once, what waits goes after the answer, and a transfer follows`, () => {
    const wire = new Wire();
    for (const each of addresses) wire.add([each]);
    const [client, server] = wire.links as [EthernetLink, EthernetLink];
    server.stack.listen(80);
    const to = parsePrefix(addresses[1]!)!.address;
    const connection = client.stack.connect({ address: to, port: 80 }, wire.now);
    connection.write(pattern(100_000));
    wire.run(2_000);
    const received = wire.events[1]!.reduce((all, event) => all + (event.kind === "data" ? event.bytes.length : 0), 0);
    // The server's end is accepted nowhere, so its data are told as soon as they come.
    assert.equal(received, 100_000);
    assert.equal(wire.events[2]!.length, 0);
    assert.equal(wire.links[2]!.drops["not-ours"] > 10, true, "others hear and do not listen");
    const arp = wire.frames.filter((frame) => frame.slice(24, 28) === "0806");
    const discovery = wire.frames.filter((frame) => frame.slice(24, 28) === "86dd" && frame.slice(40, 42) === "3a");
    assert.equal(family === "4" ? arp.length : discovery.length, 2, "a question and its answer");
    assert.equal(family === "4" ? discovery.length : arp.length, 0);
  });

  test(`IPv${family}: who does not answer is asked three times, and those who wait are told`, () => {
    const wire = new Wire();
    const link = wire.add([addresses[0]!]);
    const nobody = parsePrefix(addresses[2]!)!.address;
    const connection = link.stack.connect({ address: nobody, port: 80 }, wire.now);
    wire.run(5_000);
    assert.equal(wire.frames.length, 3);
    const closed = wire.events[0]!.find((event) => event.kind === "closed" && event.connection === connection);
    assert.ok(closed?.kind === "closed" && closed.failure?.reason === "no-route");
    assert.ok(link.drops.unreachable > 0);
  });
}

test("ARP is as RFC 826 writes it", () => {
  const wire = new Wire();
  const link = wire.add(["10.0.0.1/24"]);
  link.stack.ping(parseAddress("10.0.0.9")!, 1, pattern(8), wire.now);
  wire.run(1);
  assert.deepEqual(wire.frames, [
    `ffffffffffff${toHex(ours)}08060001080006040001${toHex(ours)}0a0000010000000000000a000009`,
  ]);
  // The answer, written by hand, lets the echo go; another's question about us is answered.
  wire.give(
    0,
    fromHex(`${toHex(ours)}02aabbccdd090806` + `000108000604000202aabbccdd090a000009${toHex(ours)}0a000001`)!,
  );
  wire.run(1);
  assert.equal(wire.frames[1]!.slice(0, 28), `02aabbccdd09${toHex(ours)}0800`);
  wire.give(
    0,
    fromHex("ffffffffffff02aabbccdd080806" + "000108000604000102aabbccdd080a000008" + "0000000000000a000001")!,
  );
  wire.run(1);
  assert.equal(
    wire.frames[2],
    `02aabbccdd08${toHex(ours)}08060001080006040002${toHex(ours)}0a00000102aabbccdd080a000008`,
  );
});

test("neighbour discovery is as RFC 4861 writes it", () => {
  const wire = new Wire();
  const link = wire.add(["fd00::1/64"]);
  link.stack.ping(parseAddress("fd00::12:3456")!, 1, pattern(8), wire.now);
  wire.run(1);
  const [frame] = wire.frames;
  // To the solicited-node group, hop limit 255, with our address as an option.
  assert.equal(frame!.slice(0, 28), `3333ff123456${toHex(ours)}86dd`);
  assert.equal(frame!.slice(28, 44), "6000000000203aff");
  assert.equal(frame!.slice(76, 108), "ff0200000000000000000001ff123456");
  assert.equal(frame!.slice(108, 112), "8700");
  assert.equal(frame!.slice(124, 156), "fd000000000000000000000000123456");
  assert.equal(frame!.slice(156), `0101${toHex(ours)}`);
});

test("what is on no network of ours goes to the gateway, and nowhere without one", () => {
  const wire = new Wire();
  const link = wire.add(["10.0.0.1/24"], ["10.0.0.254"]);
  const lone = wire.add(["10.0.0.2/24"]);
  const router = wire.add(["10.0.0.254/24"]);
  link.stack.ping(parseAddress("192.0.2.1")!, 1, pattern(8), wire.now);
  lone.stack.ping(parseAddress("192.0.2.1")!, 1, pattern(8), wire.now);
  wire.run(20);
  assert.ok(wire.frames.some((frame) => frame.startsWith(`${toHex(router.address)}${toHex(ours)}0800`)));
  assert.equal(lone.drops["no-route"], 1);
  // Groups have addresses of their own.
  link.stack.ping(parseAddress("224.0.0.251")!, 1, pattern(8), wire.now);
  wire.run(1);
  assert.ok(wire.frames.at(-1)!.startsWith("01005e0000fb"));
});

test("a neighbour that moves is found again, and answers that nobody asked for move nobody", () => {
  const wire = new Wire();
  const link = wire.add(["10.0.0.1/24"]);
  const peer = wire.add(["10.0.0.2/24"]);
  const pinged = (): void => {
    link.stack.ping(parseAddress("10.0.0.2")!, 1, pattern(8), wire.now);
    wire.run(10);
  };
  pinged();
  const replies = (): number => wire.events[0]!.filter(({ kind }) => kind === "echo-reply").length;
  assert.equal(replies(), 1);
  wire.give(
    0,
    fromHex(`${toHex(ours)}02666666666608060001080006040002026666666666` + `0a000002${toHex(ours)}0a000001`)!,
  );
  pinged();
  assert.equal(replies(), 2, "the liar was not believed");
  peer.address.set([0x77], 5);
  wire.run(31_000);
  pinged();
  pinged();
  assert.ok(replies() >= 3);
});

test("no frame makes a link throw, and no flood makes it grow", () => {
  const wire = new Wire();
  const link = wire.add(["10.0.0.1/8", "fd00::1/64"]);
  link.stack.ping(parseAddress("10.0.0.9")!, 1, pattern(8), wire.now);
  link.stack.ping(parseAddress("fd00::9")!, 1, pattern(8), wire.now);
  wire.run(1);
  const seeds = wire.frames.map((frame) => fromHex(frame)!);
  for (const seed of seeds) seed.set(ours, 0);
  const edited = fc
    .record({
      seed: fc.nat(seeds.length - 1),
      edits: fc.array(fc.tuple(fc.nat(90), fc.nat(255)), { maxLength: 5 }),
      cut: fc.nat(100),
    })
    .map(({ seed, edits, cut }) => {
      const frame = seeds[seed]!.slice(0, Math.max(1, cut));
      for (const [at, value] of edits) if (at < frame.length) frame[at] = value;
      return frame;
    });
  fc.assert(
    fc.property(fc.oneof(edited, fc.uint8Array({ maxLength: 120 })), (frame) => {
      wire.give(0, frame);
      wire.run(0);
    }),
    { seed: 826, numRuns: 5_000 },
  );
  // Everybody of a large network asks for us, and we have something for everybody.
  for (let i = 0; i < 3 * neighboursMax; i++) {
    const frame = fromHex("ffffffffffff02000000000908060001080006040001")!;
    wire.give(
      0,
      Uint8Array.of(...frame, 2, 0, 0, 9, i >> 8, i & 255, 10, 9, i >> 8, i & 255, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1),
    );
    for (let n = 0; n < 2 * neighbourQueueMax; n++) {
      if (i < 4) link.stack.ping(Uint8Array.of(10, 0, 0, 100 + i), n, pattern(8), wire.now);
    }
    wire.run(0);
  }
  wire.frames.length = 0;
  wire.add(["10.0.0.77/24"]);
  link.stack.ping(parseAddress("10.0.0.77")!, 1, pattern(8), wire.now);
  wire.run(20);
  assert.ok(wire.events[0]!.some(({ kind }) => kind === "echo-reply"));
});

const told = (wire: Wire, i: number) =>
  wire.events[i]!.flatMap((event) => (event.kind === "address" ? [[event.address.length, event.state]] : []));

test("an address that is tested is asked for, waited for, and then used: RFC 4862 once, RFC 5227 three times and announced", () => {
  const wire = new Wire();
  const link = wire.add(["10.0.0.1/24", "fd00::1/64"], [], true);
  wire.add(["10.0.0.2/24", "fd00::2/64"]);
  for (const to of ["10.0.0.2", "fd00::2"]) link.stack.ping(parseAddress(to)!, 1, pattern(8), wire.now);
  wire.run(2_001);
  assert.deepEqual(told(wire, 0), [[16, "ours"]]);
  const replies = (): number => wire.events[0]!.filter(({ kind }) => kind === "echo-reply").length;
  assert.equal(replies(), 1, "what waited for the address has gone");
  wire.run(10_000);
  assert.deepEqual(told(wire, 0), [
    [16, "ours"],
    [4, "ours"],
  ]);
  assert.equal(replies(), 2);
  const solicitation = `3333ff000001${toHex(ours)}86dd600000000018${"3aff"}${"0".repeat(32)}ff0200000000000000000001ff000001`;
  assert.equal(wire.frames.filter((frame) => frame.startsWith(solicitation)).length, 1);
  const arp = `ffffffffffff${toHex(ours)}08060001080006040001${toHex(ours)}`;
  const sent = wire.frames.flatMap((frame) => (frame.startsWith(arp) ? [frame.slice(arp.length)] : []));
  const [probe, announcement] = [`00000000${"0".repeat(12)}0a000001`, `0a000001${"0".repeat(12)}0a000001`];
  assert.deepEqual(
    sent.filter((rest) => rest.endsWith("0a000001")),
    [probe, probe, probe, announcement, announcement],
  );
  assert.equal(link.deadline(), undefined);
});

test("an address that another has is never used, and who waited for it is told", () => {
  const wire = new Wire();
  const link = wire.add(["10.0.0.1/24", "fd00::1/64"], [], true);
  wire.add(["10.0.0.1/24", "fd00::1/64"]);
  wire.add(["10.0.0.2/24", "fd00::2/64"]);
  const opened = ["10.0.0.2", "fd00::2"].map((to) =>
    link.stack.connect({ address: parseAddress(to)!, port: 80 }, wire.now),
  );
  wire.run(8_000);
  assert.deepEqual(
    told(wire, 0).toSorted(),
    [16, 4].map((size) => [size, "duplicate"]),
  );
  for (const connection of opened) {
    const end = wire.events[0]!.find((event) => event.kind === "closed" && event.connection === connection);
    assert.ok(end?.kind === "closed" && end.failure?.reason === "no-route");
  }
  // Nothing has ever left from it but the question.
  const fromUs = wire.frames.filter((frame) => frame.slice(12, 24) === toHex(ours));
  assert.equal(fromUs.length, 2);
  assert.equal(link.deadline(), undefined);
});

test("of two that ask for one address at the same time, one has it at the most", () => {
  for (let run = 0; run < 20; run++) {
    const wire = new Wire();
    // Each run begins with other delays.
    for (let i = 0; i < run; i++) wire.chance();
    for (let i = 0; i < 2; i++) wire.add(["10.0.0.1/24", "fd00::1/64"], [], true);
    wire.run(8_000);
    const all = [...told(wire, 0), ...told(wire, 1)].map(String);
    for (const size of [4, 16]) {
      assert.ok(all.filter((each) => each === `${size},ours`).length <= 1, `${all}`);
      assert.ok(all.includes(`${size},duplicate`), `${all}`);
    }
    assert.ok(!all.some((each) => each.endsWith("disputed")));
  }
});

test("an address of ours from which another speaks is kept and announced, once in ten seconds", () => {
  const wire = new Wire();
  const link = wire.add(["10.0.0.1/24"], [], true);
  wire.run(8_000);
  wire.frames.length = 0;
  const liar = fromHex(
    `${"ff".repeat(6)}02666666666608060001080006040001026666666666${"0a000001"}${"0".repeat(12)}0a000001`,
  )!;
  for (let i = 0; i < 100; i++) {
    wire.give(0, liar);
    wire.run(50);
  }
  const announcement = `ffffffffffff${toHex(ours)}08060001080006040001${toHex(ours)}0a000001${"0".repeat(12)}0a000001`;
  assert.deepEqual(
    wire.frames.filter((frame) => frame === announcement),
    [announcement],
  );
  assert.deepEqual(told(wire, 0), [
    [4, "ours"],
    [4, "disputed"],
  ]);
  wire.run(10_000);
  wire.give(0, liar);
  wire.run(1);
  assert.equal(told(wire, 0).length, 3);
  // Our own frames, come back, are nobody else's.
  wire.run(10_000);
  wire.give(0, fromHex(announcement)!);
  wire.run(1);
  assert.equal(told(wire, 0).length, 3);
  assert.equal(link.stack.addresses.length, 1);
});
