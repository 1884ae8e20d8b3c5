import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Connection,
  disabled,
  EstablishmentError,
  type ProtocolStack,
  type SecurityInit,
  secure,
  TransportProperties,
} from "../../../src/taps/index.js";
import { tcp } from "../../../src/taps/stacks/tcp.js";
import {
  leaves,
  type Neighbours,
  type NeighboursOptions,
  neighbours,
  nodeNamed,
  serverAddress,
  serverAddress6,
} from "../../support/taps.js";

const remote = { host: "server.test", port: 7 };
/** Addresses that nobody has: packets to them are lost. */
const hole6 = "2001:db8::dead";
const hole4 = "203.0.113.9";

async function listening(options: NeighboursOptions = {}): Promise<Neighbours> {
  const both = neighbours(options);
  await both.server.preconnection({ local: { port: 7 }, security: disabled() }).listen();
  return both;
}

/** Dials, and says when which leaf was started, in milliseconds from the beginning. */
async function race(both: Neighbours, init: { transport?: TransportProperties } = {}) {
  const from = both.world.now();
  const connection = both.client.preconnection({ remote, security: disabled(), ...init }).initiate();
  const ready = await both.world.finish(connection.ready.then(() => both.world.now() - from));
  const tried = leaves(connection.candidates!).map(({ name, verdict }) => ({
    name,
    at: "startedAt" in verdict ? Math.round(verdict.startedAt - from) : undefined,
    state: verdict.state,
  }));
  return { connection, ready, tried };
}

test("IPv6 is tried first, and alone where it answers in time", async () => {
  const both = await listening();
  const { tried, ready } = await race(both);
  assert.deepEqual(tried, [{ name: `[${serverAddress6}]:7`, at: 0, state: "established" }]);
  assert.equal(ready, 40);
});

test("an attempt that does not answer is overtaken by the next one 250 ms later, and given up when that wins", async () => {
  const both = await listening();
  both.world.name("server.test", { addresses: [hole6, serverAddress] });
  const { tried, ready } = await race(both);
  assert.deepEqual(tried, [
    { name: `[${hole6}]:7`, at: 0, state: "abandoned" },
    { name: `${serverAddress}:7`, at: 250, state: "established" },
  ]);
  assert.equal(ready, 290);
});

test("a failure starts the next attempt at once", async () => {
  const both = await listening();
  both.world.name("server.test", { addresses: ["2001:db8::1", serverAddress] });
  const { tried, ready } = await race(both);
  // The client's own address: nobody listens there, which is known without delay.
  assert.equal(tried[0]!.state, "failed");
  assert.deepEqual(tried[1], { name: `${serverAddress}:7`, at: tried[1]!.at, state: "established" });
  assert.ok(tried[1]!.at! < 10, `second attempt at ${tried[1]!.at} ms`);
  assert.ok(ready < 60);
});

test("IPv4 answers wait 50 ms for IPv6 answers, and no longer", async () => {
  const both = await listening();
  const addresses = [serverAddress6, serverAddress];
  both.world.name("server.test", { addresses, delay4Ms: 10, delay6Ms: 40 });
  const soon = await race(both);
  assert.deepEqual(soon.tried, [{ name: `[${serverAddress6}]:7`, at: 40, state: "established" }]);
  const other = await listening();
  other.world.name("server.test", { addresses, delay4Ms: 10, delay6Ms: 400 });
  const late = await race(other);
  assert.deepEqual(late.tried, [{ name: `${serverAddress}:7`, at: 60, state: "established" }]);
});

test("addresses that come late join the race in their place", async () => {
  const both = await listening();
  both.world.name("server.test", { addresses: [serverAddress6, hole4], delay6Ms: 200 });
  const { tried } = await race(both);
  assert.deepEqual(tried, [
    { name: `${hole4}:7`, at: 50, state: "abandoned" },
    { name: `[${serverAddress6}]:7`, at: 300, state: "established" },
  ]);
});

test("families take turns, and no more than sixteen addresses of a name are tried", async () => {
  const both = await listening();
  const addresses = Array.from({ length: 20 }, (_, i) => [`2001:db8::${i + 100}`, `203.0.113.${i + 1}`]).flat();
  both.world.name("server.test", { addresses });
  const connection = both.client.preconnection({ remote, security: disabled() }).initiate({ timeout: 60_000 });
  await assert.rejects(both.world.finish(connection.ready), EstablishmentError);
  const names = leaves(connection.candidates!).map(({ name }) => name);
  assert.equal(names.length, 16);
  assert.deepEqual(names.slice(0, 4), ["[2001:db8::100]:7", "203.0.113.1:7", "[2001:db8::101]:7", "203.0.113.2:7"]);
});

test("what worked before is tried first, what failed before last, and an isolated session knows neither", async () => {
  const both = await listening();
  both.world.name("server.test", { addresses: [hole6, serverAddress] });
  await race(both);
  const again = await race(both);
  assert.deepEqual(again.tried, [{ name: `${serverAddress}:7`, at: 0, state: "established" }]);
  const isolated = await race(both, { transport: new TransportProperties({ isolateSession: true }) });
  assert.equal(isolated.tried[0]!.name, `[${hole6}]:7`);
});

test("a timeout fails the establishment with its tree, and a signal aborts it", async () => {
  const both = neighbours();
  const pre = both.client.preconnection({ remote: { address: hole4, port: 7 }, security: disabled() });
  const late = pre.initiate({ timeout: 1_000 });
  await assert.rejects(both.world.finish(late.ready), (error: unknown) => {
    assert.ok(error instanceof EstablishmentError);
    assert.equal(error.reason, "timeout");
    assert.equal(leaves(error.candidates!)[0]!.verdict.state, "abandoned");
    return true;
  });
  const abort = new AbortController();
  const aborted = pre.initiate({ signal: abort.signal });
  abort.abort();
  await assert.rejects(
    both.world.finish(aborted.ready),
    (error: unknown) => (error as EstablishmentError).reason === "connection-aborted",
  );
});

test("a name without addresses is resolution-failed", async () => {
  const both = neighbours();
  const failing = both.client
    .preconnection({ remote: { host: "nobody.test", port: 7 }, security: disabled() })
    .connect();
  await assert.rejects(
    both.world.finish(failing),
    (error: unknown) => (error as EstablishmentError).reason === "resolution-failed",
  );
});

test("no name is looked up before an action, and none where an address is given", async () => {
  const both = await listening();
  const asked: string[] = [];
  const { network } = both.clientHost;
  const resolve = network.resolve.bind(network);
  network.resolve = (name, options) => {
    asked.push(name);
    return resolve(name, options);
  };
  const pre = both.client.preconnection({ remote, security: disabled() });
  await both.world.run(1_000);
  assert.deepEqual(asked, []);
  await both.world.finish(pre.connect());
  assert.deepEqual(asked, ["server.test", "server.test"]);
  const { client } = both;
  await both.world.finish(
    client.preconnection({ remote: { address: serverAddress, port: 7 }, security: disabled() }).connect(),
  );
  assert.equal(asked.length, 2);
});

test("AddRemote on a Connection that is establishing joins its race; RemoveRemote leaves it", async () => {
  const both = await listening();
  const connection = both.client
    .preconnection({ remote: { address: hole4, port: 7 }, security: disabled() })
    .initiate();
  await both.world.run(100);
  connection.addRemote({ address: "203.0.113.77", port: 7 }, { address: serverAddress, port: 7 });
  connection.removeRemote({ address: "203.0.113.77", port: 7 });
  await both.world.finish(connection.ready);
  assert.deepEqual(
    leaves(connection.candidates!).map(({ name }) => name),
    [`${hole4}:7`, `${serverAddress}:7`],
  );
});

test("candidates() shows the tree without trying anything, with a reason for each exclusion", async () => {
  const both = neighbours();
  const tree = await both.world.finish(both.client.preconnection({ remote, security: disabled() }).candidates());
  assert.deepEqual(nodeNamed(tree, "TLS/TCP")!.verdict, { state: "excluded", why: "security was disabled" });
  assert.deepEqual(nodeNamed(tree, "UDP")!.verdict, { state: "excluded", why: "reliability is required" });
  assert.deepEqual(
    leaves(tree).map(({ name }) => name),
    [`[${serverAddress6}]:7`, `${serverAddress}:7`],
  );
});

/** Stacks that stand for protocols still to come: TCP under other names. */
const like = (name: string, security: ProtocolStack["security"], port: number): ProtocolStack => {
  const stack: ProtocolStack = {
    ...tcp,
    name,
    protocols: [name],
    open: (request) => tcp.open({ ...request, remote: { ...request.remote, port } }),
  };
  return security === undefined ? stack : { ...stack, security };
};

/** One secure stack that nobody answers, one that works: which attempts were made, and when. */
async function raceOf(security: SecurityInit, policy?: NeighboursOptions["policy"]) {
  const both = await listening({
    stacks: [like("TLS", "TLS", 9), like("QUIC", "QUIC", 7)],
    ...(policy !== undefined && { policy }),
    link: { delayMs: 20 },
  });
  const from = both.world.now();
  // At port 9 nobody listens: TLS fails after a round trip, unless its packets are lost.
  const connection = both.client
    .preconnection({ remote: { address: hole4, port: 7 }, security: secure(security) })
    .initiate({ timeout: 700 });
  await both.world.finish(connection.closed.catch(() => {}));
  return leaves(connection.candidates!).map(({ verdict }) => ("startedAt" in verdict ? verdict.startedAt - from : -1));
}

test("different security protocols race only where the application or the system declares them equivalent", async () => {
  const allowed = ["TLS", "QUIC"] as const;
  assert.deepEqual(await raceOf({ allowed }), [0]);
  assert.deepEqual(await raceOf({ allowed, equivalent: [["TLS", "QUIC"]] }), [0, 250]);
  assert.deepEqual(await raceOf({ allowed }, { equivalentSecurityProtocols: [["TLS", "QUIC"]] }), [0, 250]);
});

test("the order in which protocols are named is the order in which they are tried", async () => {
  const both = await listening({ stacks: [like("TLS", "TLS", 7), like("QUIC", "QUIC", 7)] });
  const stackOf = async (allowed: SecurityInit["allowed"]) => {
    const connection = both.client
      .preconnection({ remote, security: secure({ ...(allowed && { allowed }) }) })
      .connect();
    return (await both.world.finish(connection)).stack;
  };
  assert.equal(await stackOf(["QUIC", "TLS"]), "QUIC");
  assert.equal(await stackOf(["TLS", "QUIC"]), "TLS");
  assert.equal(await stackOf(undefined), "TLS");
});

test("an endpoint for one protocol is used by that protocol alone", async () => {
  const both = await listening({ stacks: [like("TLS", "TLS", 7), like("QUIC", "QUIC", 7)] });
  const connection = await both.world.finish(
    both.client
      .preconnection({
        remote: [
          { address: hole4, port: 7, protocol: "TLS" },
          { address: serverAddress, port: 7, protocol: "QUIC" },
        ],
        security: secure({ allowed: ["QUIC", "TLS"] }),
      })
      .connect(),
  );
  assert.equal(connection.stack, "QUIC");
  assert.equal(connection.remoteEndpoint!.address, serverAddress);
});

test("the system's policy narrows what applications allow, prohibits cleartext, and sets the race's times", async () => {
  const policy = {
    allowedSecurityProtocols: ["QUIC"],
    cleartext: "prohibited",
    racing: { attemptDelayMs: 100 },
  } as const;
  const both = await listening({ policy, stacks: [like("TLS", "TLS", 7), like("QUIC", "QUIC", 7), tcp] });
  const one = both.client.preconnection({ remote, security: secure({ allowed: ["TLS", "QUIC"] }) });
  assert.equal((await both.world.finish(one.connect())).stack, "QUIC");
  const prohibited = (error: unknown) => (error as EstablishmentError).reason === "policy-prohibited";
  assert.throws(() => both.client.preconnection({ remote, security: disabled() }).initiate(), prohibited);
  assert.throws(
    () => both.client.preconnection({ remote, security: secure({ allowed: ["TLS"] }) }).initiate(),
    prohibited,
  );
  both.world.name("two.test", { addresses: [hole6, serverAddress] });
  const connection: Connection = both.client
    .preconnection({ remote: { host: "two.test", port: 7 }, security: secure({ allowed: ["QUIC"] }) })
    .initiate();
  await both.world.finish(connection.ready);
  const starts = leaves(connection.candidates!).map(({ verdict }) => ("startedAt" in verdict ? verdict.startedAt : 0));
  assert.equal(starts[1]! - starts[0]!, 100);
});
