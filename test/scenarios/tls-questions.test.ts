import assert from "node:assert/strict";
import type { SimulatedHost, World } from "../../src/hosts/simulator/index.js";
import {
  ClientSessionCache,
  connect,
  listen,
  MemorySessionStore,
  StrikeRegister,
  TicketKeyRing,
  type TlsClientOptions,
  type TlsServerOptions,
} from "../../src/protocols/tls/index.js";
import { Recorder } from "../laws/port.js";
import { scenario } from "../support/scenario.js";
import { identityFor, startOfTime, trusting } from "../support/tls-pair.js";

const identity = identityFor("Ed25519");

/** Lets an answer take its time: at once, late, never, or in the form of an error. */
type Delay = <T>(answer: () => T | Promise<T>) => T | Promise<T>;

/** One thing that is asked of the application, on one side, and what becomes of a handshake in which nobody answers it. */
interface Asked {
  readonly what: string;
  readonly client?: (delay: Delay, host: SimulatedHost) => TlsClientOptions;
  readonly server?: (delay: Delay, host: SimulatedHost) => TlsServerOptions;
  /** Without the answer the session is either made all the same, or there is none. */
  readonly unanswered: "confirmed" | "failed";
  /** The same for an answer that is an error; default as if there were none. */
  readonly throwing?: "confirmed";
}

const sessions = (): ClientSessionCache => new ClientSessionCache(new MemorySessionStore());

const asked: readonly Asked[] = [
  {
    what: "the server's certificate is judged",
    client: (delay) => ({ verify: (ask) => delay(() => trusting(ask)) }),
    unanswered: "failed",
  },
  {
    what: "the client's certificate is judged",
    client: () => ({ identity }),
    server: (delay) => ({ clientAuthentication: "require", verify: (ask) => delay(() => trusting(ask)) }),
    unanswered: "failed",
  },
  {
    what: "the server signs",
    server: (delay) => ({
      identity: { ...identity, sign: (algorithm, message) => delay(() => identity.sign(algorithm, message)) },
    }),
    unanswered: "failed",
  },
  {
    what: "the client signs",
    client: (delay) => ({
      identity: { ...identity, sign: (algorithm, message) => delay(() => identity.sign(algorithm, message)) },
    }),
    server: () => ({ clientAuthentication: "require" }),
    unanswered: "failed",
  },
  {
    what: "the server chooses who to be",
    server: (delay) => ({ identity: () => delay(() => identity) }),
    unanswered: "failed",
  },
  {
    what: "the client looks for a session",
    client: (delay) => {
      const cache = sessions();
      return {
        sessions: {
          take: (scope, now) => delay(() => cache.take(scope, now)),
          add: (scope, session) => cache.add(scope, session),
        },
      };
    },
    // A store that hangs is worse than one that is empty or broken: it takes the handshake's whole time.
    unanswered: "failed",
    throwing: "confirmed",
  },
  {
    what: "the server seals a ticket",
    client: () => ({ sessions: sessions() }),
    server: (delay, { crypto, entropy }) => {
      const ring = new TicketKeyRing({ crypto, entropy });
      return {
        tickets: {
          seal: (state, now) => delay(() => ring.seal(state, now)),
          open: (ticket, now) => ring.open(ticket, now),
        },
      };
    },
    unanswered: "confirmed",
  },
];

/** What the two sides come to, and how long it took in virtual time. */
async function meet(world: World, { client, server }: Asked, delay: (host: SimulatedHost) => Delay) {
  const near = world.host("client", { addresses: ["192.0.2.1"] });
  const far = world.host("server", { addresses: ["198.51.100.1"] });
  world.link(near, far, { delayMs: 5 });
  let accepted: Recorder | undefined;
  const { local } = await listen(
    far,
    { address: "198.51.100.1", port: 443 },
    { identity, verify: trusting, ...server?.(delay(far), far) },
    (session) => {
      accepted = new Recorder().attach(session);
      return accepted;
    },
  );
  const recorder = new Recorder();
  const session = connect(near, local, { verify: trusting, ...client?.(delay(near), near) }, recorder);
  let outcome: "confirmed" | "failed" | undefined;
  session.confirmed.then(
    () => (outcome = "confirmed"),
    () => (outcome = "failed"),
  );
  const isHeard = () => accepted?.size === 5 || accepted?.isClosed === true;
  session.write(new TextEncoder().encode("hello"));
  await world.until(() => outcome !== undefined && (isHeard() || recorder.isClosed));
  return { outcome, client: recorder, server: accepted, session };
}

for (const each of asked) {
  scenario(
    `${each.what}: an answer after 20 seconds is as good as one at once`,
    2,
    async (world) => {
      const { outcome, server, session } = await meet(
        world,
        each,
        (host) => (answer) => new Promise((resolve) => host.wakeAt(host.now() + 20_000, () => resolve(answer()))),
      );
      assert.equal(outcome, "confirmed");
      assert.equal(new TextDecoder().decode(server!.all()), "hello");
      assert.ok(world.elapsed >= (each.unanswered === "failed" ? 20_000 : 0));
      session.abort();
    },
    { start: startOfTime },
  );

  scenario(
    `${each.what}: without an answer it is ${each.unanswered}, and in time`,
    2,
    async (world) => {
      const { outcome, client, server, session } = await meet(world, each, () => () => new Promise(() => {}));
      // The first of the two gives up after the handshake's timeout, and tells the other.
      assert.ok(world.elapsed <= 61_000, `${world.elapsed} ms`);
      if (each.unanswered === "confirmed") {
        assert.equal(outcome, "confirmed");
        assert.equal(new TextDecoder().decode(server!.all()), "hello");
      } else {
        await world.until(() => client.isClosed && (server?.isClosed ?? true));
        assert.ok(client.failure);
        assert.equal(server!.size, 0);
      }
      session.abort();
    },
    { start: startOfTime },
  );

  scenario(
    `${each.what}: an answer that throws is a no, told once`,
    2,
    async (world) => {
      const { outcome, client, server, session } = await meet(world, each, () => () => {
        throw new Error("the device is on fire");
      });
      if (each.throwing === "confirmed" || each.unanswered === "confirmed") assert.equal(outcome, "confirmed");
      else {
        await world.until(() => client.isClosed && (server?.isClosed ?? true));
        assert.ok(client.failure);
        assert.equal(client.told.filter((what) => what === "closed").length, 1);
        assert.equal(server!.size, 0);
      }
      assert.ok(world.elapsed <= 61_000);
      session.abort();
    },
    { start: startOfTime },
  );
}

scenario(
  "early data are not let in while nobody says that they are fresh",
  2,
  async (world) => {
    const near = world.host("client", { addresses: ["192.0.2.1"] });
    const far = world.host("server", { addresses: ["198.51.100.1"] });
    world.link(near, far, { delayMs: 5 });
    const register = new StrikeRegister(far.now() - 60_000);
    const cache = sessions();
    let isAsked = false;
    const servers: Recorder[] = [];
    const { local } = await listen(
      far,
      { address: "198.51.100.1", port: 443 },
      {
        identity,
        verify: trusting,
        tickets: new TicketKeyRing({ crypto: far.crypto, entropy: far.entropy }),
        earlyDataMax: 1000,
        antiReplay: {
          judge: (offer, now) => {
            isAsked = true;
            return register.judge(offer, now) === "fresh" ? new Promise(() => {}) : "replayed";
          },
        },
      },
      (session) => {
        const server = new Recorder().attach(session);
        servers.push(server);
        return server;
      },
    );
    const options: TlsClientOptions = {
      verify: trusting,
      sessions: cache,
      earlyData: true,
      handshakeTimeoutMs: 120_000,
    };
    const first = new Recorder();
    const session = connect(near, local, options, first);
    let tickets = 0;
    Object.assign(first, { ticket: () => tickets++ });
    await world.until(() => tickets > 0);
    session.finish();
    await world.until(() => servers[0]!.told.includes("ended"));
    const second = new Recorder();
    const again = connect(near, local, options, second);
    again.writeEarly(new TextEncoder().encode("early"));
    await world.until(() => second.isClosed || servers[1]?.size === 5 || servers[1]?.isClosed === true);
    assert.ok(isAsked);
    // The server's own handshake ends first: nothing was let in.
    assert.ok(servers[1]!.isClosed ? servers[1]!.size === 0 : again.outcome?.earlyData === "rejected");
    again.abort();
  },
  { start: startOfTime },
);
