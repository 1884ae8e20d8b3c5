import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concat, fromUtf8, utf8 } from "../../../src/bytes/index.js";
import { type FramerEnds, FramerStack } from "../../../src/taps/framer.js";
import {
  ConnectionError,
  disabled,
  EstablishmentError,
  type Framer,
  lengthPrefixed,
  type MakeFramer,
  SendError,
} from "../../../src/taps/index.js";
import { MessageContext } from "../../../src/taps/message.js";
import { neighbours, serverAddress } from "../../support/taps.js";

const security = disabled();
const remote = { address: serverAddress, port: 7 };

/** A stack of framers between two hands. */
function bench(...framers: readonly MakeFramer[]) {
  const down: Uint8Array[] = [];
  const up: { data: Uint8Array; context: MessageContext; end: boolean }[] = [];
  const told: string[] = [];
  const ends: FramerEnds = {
    sendDown: (bytes) => void down.push(bytes.slice()),
    deliver: (data, context, end) => void up.push({ data: data.slice(), context, end }),
    ready: () => void told.push("ready"),
    ended: () => void told.push("ended"),
    fail: ({ message }) => void told.push(message),
  };
  return { stack: new FramerStack(framers, ends), down, up, told };
}

/** Puts a letter in front of what goes down, and takes it off what comes up. */
const tagged =
  (tag: string, log: string[]): MakeFramer =>
  () => ({
    name: tag,
    sent(data, io) {
      log.push(`${tag} sent`);
      io.send(concat(utf8(tag), data));
    },
    received(io) {
      log.push(`${tag} received`);
      io.advance(1);
      io.deliverAndAdvance(io.available);
    },
  });

test("the framer added last runs first on the way down and last on the way up", () => {
  const log: string[] = [];
  const { stack, down, up } = bench(tagged("a", log), tagged("b", log));
  stack.send(utf8("x"), new MessageContext(), true);
  assert.equal(fromUtf8(down[0]!), "abx");
  stack.received(utf8("aby"));
  assert.equal(fromUtf8(up[0]!.data), "y");
  assert.deepEqual(log, ["b sent", "a sent", "a received", "b received"]);
});

test("any Messages, cut anywhere, come out of the length-prefixed framer as they went in (seed 9622)", () => {
  const message = fc.uint8Array({ maxLength: 40 });
  fc.assert(
    fc.property(
      fc.array(message, { maxLength: 8 }),
      fc.array(fc.nat({ max: 9 }), { maxLength: 60 }),
      fc.constantFrom(1, 2, 4),
      (messages, cuts, lengthSize) => {
        const make = lengthPrefixed({ lengthSize: lengthSize as 1 | 2 | 4 });
        const sender = bench(make);
        for (const each of messages) sender.stack.send(each, new MessageContext(), true);
        const wire = concat(...sender.down);
        const receiver = bench(make);
        let at = 0;
        for (const cut of [...cuts, wire.length]) {
          receiver.stack.received(wire.subarray(at, at + cut));
          at = Math.min(wire.length, at + cut);
        }
        const whole: Uint8Array[] = [];
        let parts: Uint8Array[] = [];
        for (const { data, end } of receiver.up) {
          parts.push(data);
          if (end) whole.push(concat(...parts));
          if (end) parts = [];
        }
        assert.deepEqual(whole, messages);
        assert.equal(parts.length, 0);
      },
    ),
    { seed: 9622, numRuns: 500 },
  );
});

test("no bytes make the length-prefixed framer throw, and no strict prefix of a Message is a Message (seed 9623)", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 30 })), (chunks) => {
      const { stack } = bench(lengthPrefixed({ lengthSize: 2, sizeMax: 64 }));
      for (const chunk of chunks) stack.received(chunk);
    }),
    { seed: 9623, numRuns: 500 },
  );
  const { stack, down } = bench(lengthPrefixed());
  stack.send(utf8("message"), new MessageContext(), true);
  const wire = concat(...down);
  for (let size = 0; size < wire.length; size++) {
    const { stack: receiver, up } = bench(lengthPrefixed());
    receiver.received(wire.subarray(0, size));
    assert.ok(!up.some(({ end }) => end), `${size} bytes`);
  }
});

test("a Message that is too large is refused on the way down and fails the Connection on the way up", async () => {
  const both = neighbours();
  await both.world.finish(
    (async () => {
      const small = [lengthPrefixed({ sizeMax: 10 })];
      const listener = await both.server.preconnection({ local: { port: 7 }, security, framers: small }).listen();
      const connection = await both.client.preconnection({ remote, security, framers: small }).connect();
      await assert.rejects(
        connection.send(new Uint8Array(11)),
        (error: unknown) => error instanceof SendError && error.reason === "message-too-large",
      );
      assert.equal(await connection.send(new Uint8Array(10)), "sent");
      assert.equal((await (await listener.accept())!.receive()).data.length, 10);
      const raw = await both.client.preconnection({ remote, security }).connect();
      const accepted = (await listener.accept())!;
      await raw.send(Uint8Array.of(0xff, 0, 0, 0));
      await assert.rejects(
        accepted.closed,
        (error: unknown) => error instanceof ConnectionError && error.reason === "deframing-failed",
      );
    })(),
  );
});

test("a framer may delay Ready, exchange bytes first, and speak last", async () => {
  const greeting: MakeFramer = () => {
    let isDone = false;
    return {
      name: "greeting",
      start: (io) => io.send(utf8("HI")),
      sent: (data, io) => io.send(data),
      received(io) {
        if (!isDone) {
          if (io.peek(2) === undefined) return;
          io.advance(2);
          isDone = true;
          io.ready();
        }
        if (io.available > 0) io.deliverAndAdvance(io.available);
      },
      stop: (io) => io.send(utf8("BYE")),
    };
  };
  const both = neighbours();
  await both.world.finish(
    (async () => {
      const listener = await both.server.preconnection({ local: { port: 7 }, security, framers: [greeting] }).listen();
      const from = both.world.now();
      const connection = await both.client.preconnection({ remote, security, framers: [greeting] }).connect();
      // SYN and SYN-ACK, then the peer's greeting behind our ACK.
      assert.ok(both.world.now() - from >= 60, `${both.world.now() - from} ms`);
      const accepted = (await listener.accept())!;
      await connection.send(utf8("x"));
      assert.equal(fromUtf8((await accepted.receive()).data), "x");
      void connection.close();
      assert.equal(fromUtf8((await accepted.receive()).data), "BYE");
    })(),
  );
});

test("FailConnection before Ready makes the race go on to the next candidate", async () => {
  const both = neighbours();
  await both.world.finish(
    (async () => {
      for (const port of [7, 8]) await both.server.preconnection({ local: { port }, security }).listen();
      let attempts = 0;
      const picky: MakeFramer = (): Framer => ({
        name: "picky",
        start: (io) => (++attempts === 1 ? io.fail("not this one") : io.ready()),
        sent: (data, io) => io.send(data),
        received: (io) => io.deliverAndAdvance(io.available),
      });
      const connection = await both.client
        .preconnection({ remote: [remote, { ...remote, port: 8 }], security, framers: [picky] })
        .connect();
      assert.equal(connection.remoteEndpoint!.port, 8);
      attempts = 0;
      const alone = both.client.preconnection({ remote, security, framers: [picky] }).connect();
      await assert.rejects(
        alone,
        (error: unknown) => error instanceof EstablishmentError && error.reason === "deframing-failed",
      );
    })(),
  );
});

test("StartPassthrough lets what follows by, and PrependFramer puts a framer below", () => {
  const log: string[] = [];
  const once: MakeFramer = () => ({
    name: "once",
    sent: (data, io) => io.send(data),
    received(io) {
      io.advance(1);
      io.startPassthrough();
    },
  });
  const passing = bench(once);
  passing.stack.received(utf8("-rest"));
  passing.stack.received(utf8("more"));
  assert.equal(passing.up.map(({ data }) => fromUtf8(data)).join(""), "restmore");
  let isPrepended = false;
  const upper: MakeFramer = () => ({
    name: "upper",
    sent: (data, io) => io.send(data),
    received(io) {
      if (!isPrepended) {
        isPrepended = true;
        io.prepend(tagged("p", log));
        return;
      }
      if (io.available > 0) io.deliverAndAdvance(io.available);
    },
  });
  const prepended = bench(upper);
  prepended.stack.received(utf8("pdata"));
  assert.equal(prepended.up.map(({ data }) => fromUtf8(data)).join(""), "data");
  prepended.stack.send(utf8("x"), new MessageContext(), true);
  assert.equal(fromUtf8(prepended.down[0]!), "px");
});

test("bytes still in flight can be dropped and earmarked", () => {
  const skipping: MakeFramer = () => ({
    name: "skipping",
    sent: (data, io) => io.send(data),
    received(io) {
      io.advance(3);
      io.deliverAndAdvance(4);
    },
  });
  const { stack, up } = bench(skipping);
  stack.received(utf8("a"));
  stack.received(utf8("bc12"));
  stack.received(utf8("34"));
  assert.equal(up.map(({ data }) => fromUtf8(data)).join(""), "1234");
  assert.deepEqual(up.map(({ end }) => end).at(-1), true);
});

test("a framer that throws on what a peer sent ends its Connection, and nothing else", async () => {
  const both = neighbours();
  await both.world.finish(
    (async () => {
      const brittle: MakeFramer = () => ({
        name: "brittle",
        sent: (data, io) => io.send(data),
        received() {
          throw new Error("a framer's mistake");
        },
      });
      const listener = await both.server.preconnection({ local: { port: 7 }, security, framers: [brittle] }).listen();
      const raw = await both.client.preconnection({ remote, security }).connect();
      const accepted = (await listener.accept())!;
      await raw.send(utf8("anything"));
      await assert.rejects(accepted.closed, (error: unknown) => {
        assert.ok(error instanceof ConnectionError && error.reason === "deframing-failed" && error.at === "brittle");
        return /a framer's mistake/.test(error.message);
      });
    })(),
  );
});
