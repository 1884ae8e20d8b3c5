import assert from "node:assert/strict";
import { test } from "node:test";
import { concat, fromHex } from "../../../src/bytes/index.js";
import { Secret } from "../../../src/contract/index.js";
import { transportErrors } from "../../../src/protocols/quic/failure.js";
import { limits } from "../../../src/protocols/quic/limits.js";
import { versionNegotiationPacket } from "../../../src/protocols/quic/wire/header.js";
import { addresses, type Datagram, Duel, type Role } from "./duel.js";
import { Forger, frame, type Level, type PacketOptions } from "./forger.js";

const bytes = (size: number, value = 0): Uint8Array => new Uint8Array(size).fill(value);

/**
 * The victim has heard the other's first words, so that it has keys of that level, and no more: the server all of the client's
 * flight, or the client as much of the server's as it takes.
 */
async function halfWay(attacker: Role, level: Level): Promise<Duel> {
  const duel = new Duel();
  duel.connect();
  for (const datagram of await duel.client.drain(duel.now)) duel.server.hear(datagram, duel.now);
  for (const datagram of await duel.server.drain(duel.now)) {
    const { core } = duel.client.connection!;
    if (attacker === "client" || core.spaces[1].read !== undefined) break;
    duel.client.hear(datagram, duel.now);
    await duel.client.drain(duel.now);
    // A client that has Handshake keys soon forgets its Initial ones.
    if (level === "initial") break;
  }
  return duel;
}

interface Early {
  readonly name: string;
  readonly level: Level;
  readonly frames: Uint8Array;
  readonly code: number;
  readonly options?: PacketOptions;
  /** Who does it; default both in turn. */
  readonly by?: Role;
}

const early: readonly Early[] = [
  ...(["initial", "handshake"] as const).flatMap((level) => [
    { name: "STREAM", level, frames: frame(0x0a, 0, 1, bytes(1)), code: transportErrors.PROTOCOL_VIOLATION },
    { name: "HANDSHAKE_DONE", level, frames: frame(0x1e), code: transportErrors.PROTOCOL_VIOLATION },
    { name: "MAX_DATA", level, frames: frame(0x10, 5), code: transportErrors.PROTOCOL_VIOLATION },
    {
      name: "NEW_CONNECTION_ID",
      level,
      frames: frame(0x18, 1, 0, 8, bytes(8), bytes(16)),
      code: transportErrors.PROTOCOL_VIOLATION,
    },
    { name: "PATH_CHALLENGE", level, frames: frame(0x1a, bytes(8)), code: transportErrors.PROTOCOL_VIOLATION },
    {
      name: "CONNECTION_CLOSE of an application",
      level,
      frames: frame(0x1d, 0, 0),
      code: transportErrors.PROTOCOL_VIOLATION,
    },
    { name: "DATAGRAM", level, frames: frame(0x31, 1, bytes(1)), code: transportErrors.PROTOCOL_VIOLATION },
    {
      name: "a packet without frames",
      level,
      frames: bytes(0),
      options: { isBare: true },
      code: transportErrors.PROTOCOL_VIOLATION,
    },
    {
      name: "reserved bits",
      level,
      frames: frame(1),
      options: { firstByte: 0x0c },
      code: transportErrors.PROTOCOL_VIOLATION,
    },
    {
      name: "ACK of what was never sent",
      level,
      frames: frame(2, 77, 0, 0, 0),
      code: transportErrors.PROTOCOL_VIOLATION,
    },
    { name: "an unknown frame", level, frames: frame(0x2f), code: transportErrors.FRAME_ENCODING_ERROR },
    {
      name: "CRYPTO far ahead",
      level,
      frames: frame(6, 1_000_000, 1, bytes(1)),
      code: transportErrors.CRYPTO_BUFFER_EXCEEDED,
    },
  ]),
  {
    name: "a message that has no place",
    level: "handshake",
    frames: frame(6, 0, 4, fromHex("08000000")),
    code: 0x10a,
    by: "client",
  },
];

for (const { name, level, frames, code, options, by } of early) {
  for (const role of by === undefined ? (["client", "server"] as const) : [by]) {
    test(`a ${role}'s packet of level ${level}: ${name}`, async () => {
      const duel = await halfWay(role, level);
      const forger = new Forger(duel, role);
      const victim = duel.end(forger.victim);
      victim.hear(forger.packet(level, frames, options), duel.now);
      await victim.drain(duel.now);
      assert.equal(victim.failure?.code, code, victim.failure?.message);
      assert.equal(victim.failure?.byPeer, false);
    });
  }
}

test("CRYPTO in crumbs, in any order, with overlaps: it is put together, or dropped within a bound", async () => {
  const duel = await halfWay("client", "initial");
  const forger = new Forger(duel, "client");
  const { now } = duel;
  const crumbs: Uint8Array[] = [];
  for (let offset = 0; offset < 1_200; offset++) crumbs.push(frame(6, 10_000 + 2 * offset, 1, bytes(1)));
  for (let i = 0; i < crumbs.length; i += 100) {
    duel.server.hear(forger.packet("initial", concat(...crumbs.slice(i, i + 100))), now);
  }
  await duel.server.drain(now);
  const { failure } = duel.server;
  assert.ok(failure === undefined || failure.reason === "crypto-buffer", failure?.message);
});

const isVersionNegotiation = ({ bytes: [first = 0, ...rest] }: Datagram): boolean =>
  first >= 0x80 && rest.slice(0, 4).every((byte) => byte === 0);

/** What arrives before each genuine datagram, made of it. */
type Tampering = (datagram: Datagram) => Iterable<Uint8Array>;

function* flipped({ bytes }: Datagram): Iterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at++) {
    const changed = bytes.slice();
    changed[at]! ^= 1 << (at % 8);
    yield changed;
  }
}

function* cut({ bytes }: Datagram): Iterable<Uint8Array> {
  for (let size = 0; size < bytes.length; size++) yield bytes.slice(0, size);
}

function* padded({ bytes }: Datagram): Iterable<Uint8Array> {
  for (const more of [1, 20, 100]) yield concat(bytes, new Uint8Array(more).fill(0x55));
}

const tamperings: Readonly<Record<string, Tampering>> = {
  "with each of its bytes changed": flipped,
  "cut at each of its bytes": cut,
};

for (const [name, tampering] of Object.entries(tamperings)) {
  test(`each datagram of a handshake comes ${name} first: nothing of it counts`, async () => {
    let forged = 0;
    const duel = new Duel({
      onTheWay: (_from, datagram) => {
        // Nothing proves a Version Negotiation: what follows from a forged one is RFC 9368's business.
        if (isVersionNegotiation(datagram)) return [datagram];
        const all = [...tampering(datagram)].map((changed) => ({ ...datagram, bytes: changed }));
        forged += all.length;
        return [...all, datagram];
      },
    });
    duel.connect();
    await duel.settle();
    assert.ok(duel.client.tells("confirmed") && duel.server.tells("confirmed"));
    assert.ok(forged > 5_000, `${forged}`);
    assert.equal(duel.server.endpoint.connectionCount, 1);
    assert.equal(duel.client.failure ?? duel.server.failure, undefined);
    const { streams } = duel.client.connection!.core;
    const id = streams.open("unidirectional");
    streams.write(id, bytes(1_000, 7));
    duel.client.endpoint.handle({ kind: "ping", connection: 1 }, duel.now);
    await duel.settle();
    const heard = duel.server.events.flatMap((event) =>
      event.kind === "stream" && event.event.kind === "bytes" ? event.event.bytes.length : [],
    );
    assert.equal(
      heard.reduce((sum, each) => sum + each, 0),
      1_000,
    );
  });
}

test("what stands behind the packets of a datagram is passed over", async () => {
  const duel = new Duel({
    onTheWay: (_from, datagram) =>
      [...padded(datagram)].slice(0, 1).map((changed) => ({ ...datagram, bytes: changed })),
  });
  duel.connect();
  await duel.settle().catch(() => {});
  // Short headers have no length: their datagrams do not open with bytes behind them. The handshake itself does.
  assert.equal(duel.client.failure ?? duel.server.failure, undefined);
  assert.ok(duel.client.connection!.core.isComplete);
});

test("a Retry that anyone could have made is ignored: with a wrong tag, a second one, one after the server spoke", async () => {
  const duel = new Duel({ server: { retry: "always" } });
  duel.connect();
  const [hello] = await duel.client.drain(duel.now);
  duel.server.hear(hello!, duel.now);
  const [retry] = await duel.server.drain(duel.now);
  for (let at = 1; at < retry!.bytes.length; at++) {
    const changed = retry!.bytes.slice();
    changed[at]! ^= 0x80;
    duel.client.hear({ ...retry!, bytes: changed }, duel.now);
  }
  assert.deepEqual(await duel.client.drain(duel.now), []);
  duel.client.hear(retry!, duel.now);
  const second = await duel.client.drain(duel.now);
  assert.ok(second.length > 0, "the genuine one is followed");
  duel.client.hear(retry!, duel.now);
  assert.deepEqual(await duel.client.drain(duel.now), [], "once");
  for (const datagram of second) duel.server.hear(datagram, duel.now);
  await duel.settle();
  assert.ok(duel.client.tells("confirmed"));
  duel.client.hear(retry!, duel.now);
  await duel.settle();
  assert.equal(duel.client.failure, undefined);
});

test("a token that claims to be a Retry's and is not ends the attempt with INVALID_TOKEN", async () => {
  const duel = new Duel({ server: { retry: "always" } });
  duel.connect();
  const [hello] = await duel.client.drain(duel.now);
  duel.server.hear(hello!, duel.now);
  const [retry] = await duel.server.drain(duel.now);
  duel.client.hear(retry!, duel.now);
  const answers = await duel.client.drain(duel.now);
  // The same from another port: the token proves nothing there.
  const elsewhere = { ...addresses.client, port: 6_000 };
  for (const { bytes: each, to } of answers) duel.server.hear({ bytes: each, to, from: elsewhere }, duel.now);
  const refusals = await duel.server.drain(duel.now);
  assert.ok(refusals.length > 0);
  for (const { bytes: each } of refusals) {
    duel.client.hear({ bytes: each, from: addresses.server, to: addresses.client }, duel.now);
  }
  await duel.client.drain(duel.now);
  assert.equal(duel.client.failure?.code, transportErrors.INVALID_TOKEN);
  assert.equal(duel.server.endpoint.connectionCount, 0);
});

test("Version Negotiation that is no answer of the server's is ignored (§6.2)", async () => {
  const duel = new Duel();
  duel.connect();
  const hellos = await duel.client.drain(duel.now);
  const [hello] = hellos;
  const dcid = hello!.bytes.slice(6, 6 + hello!.bytes[5]!);
  const scidAt = 7 + dcid.length;
  const scid = hello!.bytes.slice(scidAt, scidAt + hello!.bytes[scidAt - 1]!);
  const { client, server } = addresses;
  const tell = async (to: Uint8Array, from: Uint8Array, codes: readonly number[]) => {
    duel.client.hear({ bytes: versionNegotiationPacket(to, from, codes, 0), from: server, to: client }, duel.now);
    await duel.client.drain(duel.now);
    return duel.client.failure;
  };
  assert.equal(await tell(scid, dcid, [1, 0x1a2a3a4a]), undefined, "it lists the version that was tried");
  assert.equal(await tell(dcid, scid, [0x1a2a3a4a]), undefined, "its ids are not ours");
  assert.equal(await tell(scid, bytes(8, 9), [0x1a2a3a4a]), undefined, "its ids are not the server's");
  for (const each of hellos) duel.server.hear(each, duel.now);
  await duel.settle();
  assert.ok(duel.client.tells("confirmed"));
  assert.equal(await tell(scid, dcid, [0x1a2a3a4a]), undefined, "too late");
});

test("a server sends no more than three times what came from an address that has not proved itself", async () => {
  const duel = new Duel({ client: { idleTimeoutMs: 0 }, server: { idleTimeoutMs: 0 } });
  duel.connect();
  const hello = await duel.client.drain(duel.now);
  let received = 0;
  let sent = 0;
  const count = async () => {
    for (const { bytes: each } of await duel.server.drain(duel.now)) sent += each.length;
    assert.ok(sent <= 3 * received, `${sent} of ${received}`);
  };
  for (const datagram of hello) {
    received += datagram.bytes.length;
    duel.server.hear(datagram, duel.now);
    await count();
  }
  assert.ok(sent > 0);
  for (let i = 0; i < 50; i++) {
    duel.now += 700;
    duel.server.endpoint.handle({ kind: "wake" }, duel.now);
    await count();
    // The same again from elsewhere: what is said there counts for there.
    if (i % 10 === 0) {
      received += hello[0]!.bytes.length;
      duel.server.hear(hello[0]!, duel.now);
      await count();
    }
  }
});

test("stateless resets tell nothing: shorter than what they answer, each id its own, none for long headers, not without end", async () => {
  const duel = await Duel.confirmed({ server: { secret: new Secret(bytes(32, 5)) } });
  const { now } = duel;
  const from = { address: "203.0.113.9", port: 9 };
  const ask = async (datagram: Uint8Array): Promise<readonly Datagram[]> => {
    duel.server.hear({ bytes: datagram, from, to: addresses.server }, now);
    return await duel.server.drain(now);
  };
  const short = (id: number, size: number): Uint8Array => {
    const datagram = bytes(size, 0x33);
    datagram[0] = 0x43;
    datagram.fill(id, 1, 9);
    return datagram;
  };
  for (const size of [22, 30, 43, 100, 1_200]) {
    const [reset] = await ask(short(1, size));
    assert.ok(reset !== undefined && reset.bytes.length < size, `${size}`);
    assert.equal(reset.bytes[0]! & 0xc0, 0x40);
  }
  assert.deepEqual(await ask(short(1, 21)), []);
  const tokenOf = async (id: number) => (await ask(short(id, 60)))[0]!.bytes.slice(-16);
  assert.deepEqual(await tokenOf(7), await tokenOf(7));
  assert.notDeepEqual(await tokenOf(7), await tokenOf(8));
  const long = short(1, 100);
  long[0] = 0xe3;
  long.set([0, 0, 0, 1, 8], 1);
  assert.deepEqual(await ask(long), []);
  // An id that is in use is never answered so, whoever asks.
  const live = duel.server.connection!.core.ownCids.active[0]!;
  const guess = short(1, 100);
  guess.set(live, 1);
  assert.deepEqual(await ask(guess), []);
  let answered = 0;
  for (let i = 0; i < 2_000; i++) answered += (await ask(short(i, 60))).length;
  assert.ok(answered <= limits.resetsPerSecond, `${answered}`);
});
