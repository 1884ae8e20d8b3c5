import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { utf8 } from "../../../../src/bytes/index.js";
import {
  type CacheScope,
  type ClientSession,
  ClientSessionCache,
  decodeClientSession,
  decodeSession,
  encodeClientSession,
  encodeSession,
  MemorySessionStore,
  ServerSessionCache,
  type SessionStore,
  StrikeRegister,
} from "../../../../src/protocols/tls/store/index.js";

const hour = 3_600_000;
const session: ClientSession = {
  version: 0x0304,
  suite: 0x1301,
  secret: new Uint8Array(32).fill(7),
  issuedAt: 1_800_000_000_123,
  lifetimeS: 3600,
  ageAdd: 0xfeedf00d,
  extendedMasterSecret: true,
  earlyDataMax: 16_384,
  serverName: "exämple.test",
  alpn: utf8("h2"),
  peer: { kind: "certificate", chain: [utf8("leaf"), utf8("issuer")], spki: utf8("key") },
  applicationData: utf8("transport parameters"),
  ticket: utf8("ticket"),
  sessionId: new Uint8Array(),
};
const scope: CacheScope = { serverName: "example.test", port: 443, alpn: ["h2"], configuration: "" };
const entry = (text: string, expiresAt: number) => ({ bytes: utf8(text), expiresAt });

test("a session is what it was after it has been stored", () => {
  assert.deepEqual(decodeClientSession(encodeClientSession(session)), session);
  for (const peer of [
    { kind: "none" },
    { kind: "raw-public-key", spki: utf8("key") },
    { kind: "pre-shared-key", identity: utf8("me") },
  ] as const) {
    assert.deepEqual(decodeClientSession(encodeClientSession({ ...session, peer }))?.peer, peer);
  }
});

test("no prefix of a stored session, and no other release's, is a session", () => {
  const whole = encodeSession(session);
  for (let size = 0; size < whole.length; size++) assert.equal(decodeSession(whole.subarray(0, size)), undefined);
  const other = whole.slice();
  other[0] = 99;
  assert.equal(decodeSession(other), undefined);
});

test("whatever lies in a store, reading it does not throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      decodeSession(bytes);
      decodeClientSession(bytes);
      decodeSession(Uint8Array.of(1, ...bytes));
    }),
    { seed: 20260701, numRuns: 500 },
  );
});

test("a memory store gives the newest first, each to one taker, and none that has expired", () => {
  const store = new MemorySessionStore();
  store.add("a", entry("late", 1000));
  store.add("a", entry("first", 100));
  store.add("a", entry("second", 1000));
  assert.deepEqual(store.peek("a", 200)?.bytes, utf8("second"));
  assert.deepEqual(store.take("a", 200)?.bytes, utf8("second"));
  assert.deepEqual(store.take("a", 200)?.bytes, utf8("late"));
  assert.equal(store.take("a", 200), undefined);
  assert.equal(store.size, 0);
});

test("a memory store keeps to its limits: the key that was used longest ago makes room", () => {
  const store = new MemorySessionStore({ keysMax: 2, perKeyMax: 2 });
  for (const text of ["1", "2", "3"]) store.add("a", entry(text, 1000));
  store.add("b", entry("b", 1000));
  store.peek("a", 0);
  store.add("c", entry("c", 1000));
  assert.equal(store.size, 2);
  assert.equal(store.peek("b", 0), undefined);
  assert.deepEqual(store.take("a", 0)?.bytes, utf8("3"));
  assert.deepEqual(store.take("a", 0)?.bytes, utf8("2"));
  assert.equal(store.take("a", 0), undefined);
});

test("a client takes each ticket once, and only for the same server, port, protocols and configuration", async () => {
  const cache = new ClientSessionCache(new MemorySessionStore());
  await cache.add(scope, session);
  const now = session.issuedAt + 1000;
  for (const other of [
    { ...scope, serverName: "other.test" },
    { ...scope, port: 444 },
    { ...scope, alpn: ["http/1.1"] },
    { ...scope, configuration: "other roots" },
  ]) {
    assert.equal(await cache.take(other, now), undefined);
  }
  assert.deepEqual(await cache.take({ ...scope, serverName: "EXAMPLE.test" }, now), session);
  assert.equal(await cache.take(scope, now), undefined);
});

test("a session under a session ID stays in the client's cache until it expires", async () => {
  const cache = new ClientSessionCache(new MemorySessionStore());
  const byId: ClientSession = { ...session, version: 0x0303, ticket: new Uint8Array(), sessionId: utf8("an ID") };
  await cache.add(scope, byId);
  assert.deepEqual(await cache.take(scope, session.issuedAt + 1), byId);
  assert.deepEqual(await cache.take(scope, session.issuedAt + 2), byId);
  assert.equal(await cache.take(scope, session.issuedAt + hour), undefined);
});

test("a server finds a session under its ID until it is forgotten", async () => {
  const cache = new ServerSessionCache(new MemorySessionStore());
  const { ticket, sessionId, ...kept } = session;
  await cache.add(utf8("id"), kept);
  assert.deepEqual(await cache.find(utf8("id"), session.issuedAt), kept);
  assert.equal(await cache.find(utf8("other"), session.issuedAt), undefined);
  await cache.forget(utf8("id"));
  assert.equal(await cache.find(utf8("id"), session.issuedAt), undefined);
});

test("a store that throws or rejects counts as empty", async () => {
  const broken: SessionStore = {
    add: () => Promise.reject(new Error("down")),
    take: () => {
      throw new Error("down");
    },
    peek: () => Promise.reject(new Error("down")),
    remove: () => {
      throw new Error("down");
    },
  };
  const cache = new ClientSessionCache(broken);
  await cache.add(scope, session);
  await cache.forget(scope);
  assert.equal(await cache.take(scope, session.issuedAt), undefined);
  assert.equal(await new ServerSessionCache(broken).find(utf8("id"), 0), undefined);
});

const offer = (unique: string, ticketAgeMs: number) => ({ unique: utf8(unique), ticketIssuedAt: 0, ticketAgeMs });

test("early data counts as fresh once, and then as replayed for as long as it would pass for timely", () => {
  const strikes = new StrikeRegister(0, { windowMs: 1000 });
  assert.equal(strikes.judge(offer("a", 5000), 4500), "fresh");
  for (let now = 4500; now <= 6000; now += 50) assert.equal(strikes.judge(offer("a", 5000), now), "replayed", `${now}`);
  assert.equal(strikes.judge(offer("a", 5000), 6001), "stale");
  assert.equal(strikes.judge(offer("b", 5000), 5900), "fresh");
});

test("no offer is fresh twice, whenever its copies come", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(9), fc.nat(400)), { maxLength: 300 }), (arrivals) => {
      const strikes = new StrikeRegister(-10_000, { windowMs: 700 });
      const fresh = new Set<number>();
      let now = 0;
      for (const [which, later] of arrivals) {
        now += later;
        if (strikes.judge(offer(`${which}`, 2000 + 900 * which), now) !== "fresh") continue;
        assert.ok(!fresh.has(which), `offer ${which} was fresh again at ${now}`);
        fresh.add(which);
      }
    }),
    { seed: 20260702, numRuns: 300 },
  );
});

test("early data from before the register began is refused, since it may have been played already", () => {
  const strikes = new StrikeRegister(10_000, { windowMs: 1000 });
  assert.equal(strikes.judge(offer("a", 10_500), 10_400), "starting");
  assert.equal(strikes.judge(offer("b", 11_000), 11_000), "fresh");
});

test("a full register refuses early data, and takes it again when its window has turned", () => {
  const strikes = new StrikeRegister(-5000, { windowMs: 1000, entriesMax: 2 });
  assert.equal(strikes.judge(offer("a", 0), 0), "fresh");
  assert.equal(strikes.judge(offer("b", 0), 0), "fresh");
  assert.equal(strikes.judge(offer("c", 0), 0), "full");
  assert.equal(strikes.judge(offer("d", 2000), 2000), "fresh");
  assert.equal(strikes.judge(offer("e", 20_000), 20_000), "fresh");
  assert.equal(strikes.size, 1);
});
