import assert from "node:assert/strict";
import { toHex } from "../../src/bytes/index.js";
import { Secret, type TraceEvent } from "../../src/contract/index.js";
import {
  connect,
  type EncryptedOutcome,
  type SymCipherName,
  sessionScope,
  symCiphers,
  type TcpcryptFailure,
  TcpcryptSessions,
  type TepName,
  teps,
} from "../../src/protocols/tcpcrypt/index.js";
import { addresses, enoWorld, type WireModel } from "../support/eno-world.js";
import { Psh, readSegment, Syn, withoutOption } from "../support/packets.js";
import { provider as crypto } from "../support/provider.js";
import { scenario } from "../support/scenario.js";
import { Ear, exchange, pattern, port, type TcpcryptPair, tcpcryptPair } from "../support/tcpcrypt-pair.js";

/** Both ends came to encryption, with the same session ID and different roles, and all bytes came back. */
function assertWhole({ a, b }: TcpcryptPair, size: number): EncryptedOutcome {
  assert.equal(a.failure, undefined);
  assert.equal(b.failure, undefined);
  assert.ok(a.outcome?.encrypted && b.outcome?.encrypted);
  assert.equal(toHex(a.outcome.sessionId), toHex(b.outcome.sessionId));
  assert.notEqual(a.outcome.role, b.outcome.role);
  assert.deepEqual([a.received, b.received], [size, size]);
  assert.ok(a.isRight && b.isRight);
  return a.outcome;
}

const rows: readonly (readonly [TepName, SymCipherName])[] = teps.flatMap(({ name }) =>
  symCiphers.map((cipher) => [name, cipher.name] as const),
);
for (const [tep, cipher] of rows) {
  scenario(`${tep} with ${cipher}: both ends agree, and 100,000 bytes come back`, 1, async (world) => {
    const wire = await enoWorld(world);
    const pair = await tcpcryptPair(world, wire, { teps: [tep], ciphers: [cipher] });
    await exchange(world, pair, 100_000);
    const outcome = assertWhole(pair, 100_000);
    assert.deepEqual([outcome.tep, outcome.cipher, outcome.role], [tep, cipher, "A"]);
    assert.equal(outcome.sessionId.length, 33);
    assert.equal(outcome.sessionId[0], teps.find((each) => each.name === tep)!.id);
  });
}

const bad: WireModel = { delayMs: 15, loss: 0.03, duplicate: 0.03, late: 0.05 };
scenario("loss, repetition and reordering lose nothing and confuse nobody", 20, async (world) => {
  const wire = await enoWorld(world, bad);
  const pair = await tcpcryptPair(world, wire);
  await exchange(world, pair, 200_000);
  assertWhole(pair, 200_000);
});

scenario("B takes what it prefers of what A offers, in TEPs and in ciphers", 1, async (world) => {
  const wire = await enoWorld(world);
  const pair = await tcpcryptPair(
    world,
    wire,
    { teps: ["TCPCRYPT_ECDHE_Curve25519", "TCPCRYPT_ECDHE_P256"] },
    { teps: ["TCPCRYPT_ECDHE_P256"], ciphers: ["AEAD_CHACHA20_POLY1305", "AEAD_AES_128_GCM"] },
  );
  await exchange(world, pair, 1_000);
  const { tep, cipher } = assertWhole(pair, 1_000);
  assert.deepEqual([tep, cipher], ["TCPCRYPT_ECDHE_P256", "AEAD_CHACHA20_POLY1305"]);
});

for (const [b, ok] of [
  ["one", true],
  ["none", false],
  ["both", false],
] as const) {
  scenario(`simultaneous open where ${b} of the ends plays B (RFC 8547 §4.3)`, 5, async (world) => {
    const wire = await enoWorld(world, { delayMs: 10 });
    const ears = [new Ear(), new Ear()] as const;
    for (const own of [0, 1] as const) {
      const role = b === "both" || (b === "one" && own === 1) ? "B" : "A";
      const to = own === 0 ? 1 : 0;
      const stream = { local: { address: addresses[own], port: 1_000 + own } };
      ears[own].session = connect(
        wire.hosts[own],
        { address: addresses[to], port: 1_000 + to },
        { role, teps: own === 0 ? ["TCPCRYPT_ECDHE_P256", "TCPCRYPT_ECDHE_Curve25519"] : teps.map(({ name }) => name) },
        ears[own],
        { network: wire.ends[own].network, stream },
      );
      ears[own].session!.write(pattern(5_000));
      ears[own].session!.finish();
    }
    await world.until(() => ears.every(({ isOver }) => isOver));
    for (const [own, ear] of ears.entries()) {
      if (!ok) {
        const { reason, at } = ear.failure as TcpcryptFailure;
        assert.deepEqual([reason, at], ["not-negotiated", "same-role"]);
        continue;
      }
      assert.equal(ear.failure, undefined);
      assert.ok(ear.outcome?.encrypted && ear.hasEnded);
      assert.deepEqual([ear.outcome.role, ear.received], [own === 0 ? "A" : "B", 5_000]);
      // §4.5: of what both have, B's last, which is what B prefers.
      assert.equal(ear.outcome.tep, "TCPCRYPT_ECDHE_Curve25519");
    }
  });
}

scenario("sessions are resumed again and again, and no secret serves twice (RFC 8548 §3.5)", 3, async (world) => {
  const wire = await enoWorld(world);
  const caches = [new TcpcryptSessions(crypto), new TcpcryptSessions(crypto)] as const;
  const ids = new Set<string>();
  for (let round = 0; round < 4; round++) {
    const pair = await tcpcryptPair(
      world,
      wire,
      { sessions: caches[0], scope: "peer", teps: ["TCPCRYPT_ECDHE_P256"] },
      { sessions: caches[1] },
      port + round,
    );
    await exchange(world, pair, 10_000);
    const { resumed, sessionId, tep } = assertWhole(pair, 10_000);
    assert.deepEqual([resumed, tep], [round > 0, "TCPCRYPT_ECDHE_P256"]);
    assert.equal(sessionId[0], round > 0 ? 0xa1 : 0x21);
    ids.add(toHex(sessionId));
    await world.finish(pair.listener.close());
  }
  assert.equal(ids.size, 4);
});

scenario(
  "a peer that has forgotten is met with fresh keys, and so is one who wants no resumption",
  1,
  async (world) => {
    const wire = await enoWorld(world);
    const caches = [new TcpcryptSessions(crypto), new TcpcryptSessions(crypto)] as const;
    const round = async (at: number, passive: { readonly freshOnly?: boolean } = {}): Promise<boolean> => {
      const pair = await tcpcryptPair(
        world,
        wire,
        { sessions: caches[0], scope: "peer" },
        { sessions: caches[1], ...passive },
        at,
      );
      await exchange(world, pair, 100);
      await world.finish(pair.listener.close());
      return assertWhole(pair, 100).resumed;
    };
    assert.equal(await round(1), false);
    assert.equal(await round(2), true);
    assert.equal(await round(3, { freshOnly: true }), false);
    assert.equal(await round(4), true);
    caches[1].clear();
    assert.equal(await round(5), false);
    assert.equal(await round(6), true);
  },
);

scenario("what a session left can be flushed on either side, or never cached (RFC 8548 §3.5)", 1, async (world) => {
  const wire = await enoWorld(world);
  const caches = [new TcpcryptSessions(crypto), new TcpcryptSessions(crypto)] as const;
  const never = await tcpcryptPair(world, wire, { sessions: caches[0], neverCache: true }, { sessions: caches[1] }, 1);
  await exchange(world, never, 100);
  assert.deepEqual([caches[0].size, caches[1].size], [0, 1]);
  never.b.session!.flushSessions();
  assert.deepEqual([caches[0].size, caches[1].size], [0, 0]);
  const kept = await tcpcryptPair(world, wire, { sessions: caches[0] }, { sessions: caches[1] }, 2);
  await exchange(world, kept, 100);
  assert.deepEqual([caches[0].size, caches[1].size], [1, 1]);
  kept.session.flushSessions();
  kept.b.session!.flushSessions();
  assert.deepEqual([caches[0].size, caches[1].size], [0, 0]);
});

scenario(
  "a secret from elsewhere needs no public key, and who has another gets fresh keys (PSKI)",
  1,
  async (world) => {
    const wire = await enoWorld(world);
    for (const [at, role, isSame] of [
      [1, "A", true],
      // Who was B in the original session encrypts as B, also when it is the active opener now.
      [2, "B", true],
      [3, "A", false],
    ] as const) {
      const caches = [new TcpcryptSessions(crypto), new TcpcryptSessions(crypto)] as const;
      const imported = (fill: number, as: "A" | "B") => ({
        secret: new Secret(new Uint8Array(32).fill(fill)),
        role: as,
        cipher: "AEAD_CHACHA20_POLY1305" as const,
      });
      caches[0].import(imported(5, role), wire.hosts[0].now(), sessionScope(addresses[1], at));
      caches[1].import(imported(isSame ? 5 : 6, role === "A" ? "B" : "A"), wire.hosts[1].now());
      const pair = await tcpcryptPair(world, wire, { sessions: caches[0] }, { sessions: caches[1] }, at);
      await exchange(world, pair, 100);
      const outcome = assertWhole(pair, 100);
      assert.deepEqual([outcome.resumed, outcome.role], [isSame, "A"]);
    }
  },
);

scenario(
  "both ends rekey, at once and in turn, while data pass and while none do (RFC 8548 §3.8)",
  5,
  async (world) => {
    const wire = await enoWorld(world, bad);
    const pair = await tcpcryptPair(world, wire);
    await world.until(() => pair.a.outcome !== undefined && pair.b.outcome !== undefined);
    const { a, b, session } = pair;
    session.updateKeys();
    b.session!.updateKeys();
    await world.until(() => a.updates.length === 2 && b.updates.length === 2);
    // Without data not more than one at a time: the second call does nothing.
    session.updateKeys();
    session.updateKeys();
    await world.until(() => a.updates.length >= 4 && b.updates.length >= 4);
    await world.run(1_000);
    assert.deepEqual([session.statistics.keyGenerationSent, b.session!.statistics.keyGenerationSent], [2, 2]);
    for (let at = 0; at < 100_000; at += 10_000) {
      session.write(pattern(10_000, at));
      session.updateKeys();
      if (at % 30_000 === 0) b.session!.updateKeys();
    }
    session.finish();
    await world.until(() => a.isOver && b.isOver);
    assertWhole(pair, 100_000);
    assert.ok(session.statistics.keyGenerationReceived > 2);
  },
);

scenario("worn keys are changed by themselves", 1, async (world) => {
  const wire = await enoWorld(world);
  const pair = await tcpcryptPair(world, wire, { framesPerKeyMax: 3 });
  await exchange(world, pair, 200_000);
  assertWhole(pair, 200_000);
  assert.ok(pair.session.statistics.keyGenerationSent >= 3);
});

scenario("the last urgent byte is told where it stands (RFC 8548 §3.7)", 1, async (world) => {
  const wire = await enoWorld(world);
  const pair = await tcpcryptPair(world, wire);
  pair.session.write(pattern(100));
  pair.session.writeUrgent(pattern(20_000, 100));
  pair.session.write(pattern(100, 20_100));
  pair.session.finish();
  await world.until(() => pair.a.isOver && pair.b.isOver);
  assertWhole(pair, 20_200);
  assert.deepEqual([...new Set(pair.b.urgentAt)], [20_099]);
});

scenario("a peer that is gone is found out by keep-alives that nobody can forge (RFC 8548 §3.9)", 1, async (world) => {
  const wire = await enoWorld(world);
  const pair = await tcpcryptPair(world, wire);
  await world.until(() => pair.a.outcome !== undefined && pair.b.outcome !== undefined);
  pair.session.set("keepAliveMs", 5_000);
  await world.run(60_000);
  assert.equal(pair.a.isOver, false);
  const { keyGenerationSent } = pair.session.statistics;
  assert.ok(keyGenerationSent >= 5);
  wire.meddle = () => [];
  await world.run(60_000);
  assert.equal((pair.a.failure as TcpcryptFailure).reason, "timed-out");
});

scenario(
  "the application authenticates by the session ID before a byte passes, or refuses (AD)",
  2,
  async (world, seed) => {
    const accepts = seed === 1;
    const wire = await enoWorld(world);
    const ids: string[] = [];
    const authenticate = async ({ sessionId, role }: { readonly sessionId: Uint8Array; readonly role: "A" | "B" }) => {
      ids.push(toHex(sessionId));
      await new Promise<void>((resolve) => void wire.hosts[0].wakeAt(wire.hosts[0].now() + 500, resolve));
      assert.equal(pair.b.received, 0);
      return accepts || role === "A";
    };
    const pair = await tcpcryptPair(world, wire, { authenticate }, { authenticate });
    await exchange(world, pair, 10_000);
    assert.equal(ids[0], ids[1]);
    if (accepts) assertWhole(pair, 10_000);
    else {
      assert.equal((pair.b.failure as TcpcryptFailure).reason, "not-authenticated");
      assert.ok(pair.a.isOver && pair.b.received === 0);
    }
  },
);

scenario("the a bit is told, and who requires it has no encryption without (RFC 8547 §4.2)", 1, async (world) => {
  const wire = await enoWorld(world);
  const aware = await tcpcryptPair(world, wire, { applicationAware: "offer" }, { applicationAware: "require" }, 1);
  await exchange(world, aware, 100);
  assert.deepEqual([assertWhole(aware, 100).peerAware, aware.b.outcome?.peerAware], [true, true]);
  for (const [at, active, passive, reasons] of [
    [2, "no", "require", ["no-option", "not-application-aware"]],
    [3, "require", "no", ["not-application-aware", "not-acknowledged"]],
  ] as const) {
    const pair = await tcpcryptPair(world, wire, { applicationAware: active }, { applicationAware: passive }, at);
    await world.until(() => pair.a.isOver);
    assert.deepEqual([(pair.a.failure as TcpcryptFailure).at, pair.a.outcome], [reasons[0], undefined]);
    await world.until(() => pair.b.isOver || pair.b.session === undefined);
    if (pair.b.session !== undefined) assert.equal((pair.b.failure as TcpcryptFailure).at, reasons[1]);
  }
});

scenario("opportunistic ends go on in plain TCP, and know it", 1, async (world) => {
  const wire = await enoWorld(world);
  const pair = await tcpcryptPair(
    world,
    wire,
    { opportunistic: true, teps: ["TCPCRYPT_ECDHE_P256"] },
    { opportunistic: true, teps: ["TCPCRYPT_ECDHE_P521"] },
  );
  await exchange(world, pair, 50_000);
  assert.deepEqual(pair.a.outcome, { encrypted: false, reason: "no-option", peerAware: false });
  assert.deepEqual(pair.b.outcome, { encrypted: false, reason: "no-common-tep", peerAware: false });
  assert.deepEqual([pair.a.received, pair.b.received, pair.a.isRight], [50_000, 50_000, true]);
  assert.throws(() => pair.session.sessionId, { reason: "misuse" });
  assert.throws(() => pair.session.updateKeys(), { reason: "misuse" });
});

scenario("what a session does is traced, and nothing secret", 1, async (world) => {
  const wire = await enoWorld(world);
  const told: TraceEvent[] = [];
  const trace = (event: TraceEvent) => void told.push(event);
  const pair = await tcpcryptPair(world, wire, { trace }, { trace });
  await world.until(() => pair.a.outcome !== undefined && pair.b.outcome !== undefined);
  pair.session.updateKeys();
  await exchange(world, pair, 100);
  assertWhole(pair, 100);
  const refused = await tcpcryptPair(
    world,
    wire,
    { trace, teps: ["TCPCRYPT_ECDHE_P256"] },
    { teps: ["TCPCRYPT_ECDHE_P521"] },
    1,
  );
  await world.until(() => refused.a.isOver);
  const names = new Set(told.map(({ name }) => name));
  assert.deepEqual([...names].sort(), [
    "tcpcrypt:failed",
    "tcpcrypt:key_updated",
    "tcpcrypt:negotiated",
    "tcpcrypt:plain",
  ]);
  assert.deepEqual(told.find(({ name }) => name === "tcpcrypt:plain")?.data, { reason: "no-option" });
});

scenario(
  "the segment with Init2's last byte is pushed, though more stands behind it (RFC 8548 §3.3)",
  1,
  async (world) => {
    const wire = await enoWorld(world);
    const pushed: boolean[] = [];
    const sizes: number[] = [];
    wire.meddle = (packet, from) => {
      const { flags, payload } = readSegment(packet);
      if (from === 1 && payload.length > 0) {
        pushed.push((flags & Psh) !== 0);
        sizes.push(payload.length);
      }
      return [packet];
    };
    const pair = await tcpcryptPair(world, wire, {}, { authenticate: () => true });
    await world.until(() => pair.b.session !== undefined);
    pair.b.session!.write(pattern(50_000));
    await world.until(() => pair.a.received === 50_000);
    // 74 bytes of Init2, and behind them as much of the first frame as the segment holds.
    assert.ok(sizes[0]! > 1_000 && sizes[1]! > 1_000);
    assert.deepEqual(pushed.slice(0, 2), [true, false]);
  },
);

scenario(
  "a middlebox that drops SYNs with the option is passed by who is opportunistic, and by nobody else",
  1,
  async (world) => {
    const wire = await enoWorld(world);
    wire.meddle = (packet) => {
      const { flags, options } = readSegment(packet);
      return (flags & Syn) !== 0 && withoutOption(options, 69).join() !== options.join() ? [] : [packet];
    };
    const pair = await tcpcryptPair(world, wire, { opportunistic: true }, { opportunistic: true });
    await exchange(world, pair, 1_000);
    assert.deepEqual([pair.a.outcome?.encrypted, pair.a.received], [false, 1_000]);
    const { outcome } = pair.a;
    assert.equal(outcome?.encrypted === false && outcome.reason, "unanswered");
    const strict = await tcpcryptPair(world, wire, {}, {}, 1);
    await world.until(() => strict.a.isOver);
    assert.equal((strict.a.failure as TcpcryptFailure).reason, "connection-lost");
  },
);
