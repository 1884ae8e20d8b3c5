import assert from "node:assert/strict";
import { test } from "node:test";
import {
  EstablishmentError,
  reliableInorderStream,
  type SecurityInit,
  type SystemPolicy,
  secure,
  TapsFailure,
  TransportProperties,
} from "../../../src/taps/index.js";
import { type FakeNeighbours, fakeNeighbours, remote, vouched } from "../../support/quic-taps.js";
import { leaves, nodeNamed, serverAddress } from "../../support/taps.js";

const both = { allowed: ["QUIC", "TLS"], serverName: "server.test" } as const satisfies SecurityInit;
const equivalent = [["QUIC", "TLS"]] as const;

/** A server that speaks both on one port; `isConnected` says whether UDP gets through. */
async function serving(isConnected: boolean, policy?: SystemPolicy): Promise<FakeNeighbours> {
  const ends = fakeNeighbours(policy && { policy });
  ends.quic.isConnected = isConnected;
  const security = secure({ allowed: ["QUIC", "TLS"], identity: vouched.identity });
  const listener = await ends.world.finish(ends.server.preconnection({ local: { port: 443 }, security }).listen());
  assert.deepEqual(listener.stacks, ["QUIC/UDP", "TLS/TCP"]);
  return ends;
}

async function race(ends: FakeNeighbours, init: SecurityInit, transport = reliableInorderStream) {
  const from = ends.world.now();
  const connection = ends.client
    .preconnection({ remote, security: secure({ ...both, ...init }), transport })
    .initiate({ timeout: 20_000 });
  await ends.world.finish(connection.ready.catch(() => {}));
  const tried = leaves(connection.candidates!).map(({ verdict }) => ({
    at: "startedAt" in verdict ? Math.round(verdict.startedAt - from) : undefined,
    state: verdict.state,
  }));
  return { connection, tried, stack: connection.stack };
}

test("QUIC and TLS declared equivalent race: where UDP is blocked, TLS is Ready a moment later", async () => {
  const open = await race(await serving(true), { equivalent });
  assert.equal(open.stack, "QUIC/UDP");
  assert.deepEqual(open.tried, [{ at: 0, state: "established" }]);
  const ends = await serving(false);
  const blocked = await race(ends, { equivalent });
  assert.equal(blocked.stack, "TLS/TCP");
  assert.deepEqual(blocked.tried, [
    { at: 0, state: "abandoned" },
    { at: 250, state: "established" },
  ]);
  assert.equal(ends.quic.sessions[0]!.closedWith, 0, "the attempt that lost is closed");
});

test("QUIC and TLS that nobody declared equivalent do not race: TLS is tried when QUIC has failed", async () => {
  const { stack, tried, connection } = await race(await serving(false), {});
  assert.equal(stack, undefined);
  assert.deepEqual(tried, [{ at: 0, state: "abandoned" }]);
  await assert.rejects(connection.ready, (error) => error instanceof EstablishmentError && error.reason === "timeout");
});

test("the system's policy may declare QUIC and TLS equivalent, and may leave one of them out", async () => {
  const declared = await race(await serving(false, { equivalentSecurityProtocols: [["TLS", "QUIC"]] }), {});
  assert.equal(declared.stack, "TLS/TCP");
  const narrowed = await race(await serving(true, { allowedSecurityProtocols: ["TLS 1.3"] }), { equivalent });
  assert.equal(narrowed.stack, "TLS/TCP");
  assert.equal(narrowed.tried.length, 1);
});

test("among equivalents preferences decide who goes first, and without them the order of naming", async () => {
  const ends = await serving(true);
  const tlsFirst = { allowed: ["TLS", "QUIC"] } as const;
  const none = reliableInorderStream.noPreference("multistreaming");
  assert.equal(
    (await race(ends, { ...tlsFirst, equivalent }, reliableInorderStream.prefer("multistreaming"))).stack,
    "QUIC/UDP",
  );
  assert.equal((await race(ends, tlsFirst, reliableInorderStream.prefer("multistreaming"))).stack, "TLS/TCP");
  assert.equal((await race(ends, { ...tlsFirst, equivalent }, none.avoid("multistreaming"))).stack, "TLS/TCP");
});

test("multistreaming decides between QUIC and TLS: required and prohibited", async () => {
  const ends = await serving(true);
  const required = await race(ends, { allowed: ["TLS", "QUIC"] }, new TransportProperties().require("multistreaming"));
  assert.equal(required.stack, "QUIC/UDP");
  const why = nodeNamed(required.connection.candidates!, "TLS/TCP")!.verdict;
  assert.deepEqual(why, { state: "excluded", why: "multistreaming is required" });
  const prohibited = await race(ends, {}, new TransportProperties().prohibit("multistreaming"));
  assert.equal(prohibited.stack, "TLS/TCP");
});

test("WithProtocol: QUIC has a port of its own, and TLS the other", async () => {
  const ends = fakeNeighbours();
  const remotes = [
    { address: serverAddress, port: 443 },
    { address: serverAddress, port: 8443, protocol: "QUIC" },
  ];
  const security = secure({ ...both, equivalent });
  const tree = await ends.world.finish(ends.client.preconnection({ remote: remotes, security }).candidates());
  const endpoints = (stack: string) => nodeNamed(tree, stack)!.children.map(({ name }) => name);
  assert.deepEqual(endpoints("QUIC/UDP"), [`${serverAddress}:8443 (QUIC)`]);
  assert.deepEqual(endpoints("TLS/TCP"), [`${serverAddress}:443`]);
  const listening = { security: secure({ allowed: ["QUIC"], identity: vouched.identity }) };
  await ends.world.finish(ends.server.preconnection({ local: { port: 8443 }, ...listening }).listen());
  const connection = await ends.world.finish(ends.client.preconnection({ remote: remotes, security }).connect());
  assert.equal(connection.stack, "QUIC/UDP");
  assert.equal(connection.remoteEndpoint?.port, 8443);
});

test("versions of QUIC are named as those of TLS are, and a version that does not exist is refused", async () => {
  const ends = await serving(true);
  const { connection } = await race(ends, { allowed: ["QUIC v2"] });
  assert.equal(connection.stack, "QUIC/UDP");
  assert.deepEqual(ends.quic.sessions[0]!.options.versions, ["2"]);
  await race(ends, { allowed: ["QUIC"] });
  assert.deepEqual(ends.quic.sessions[2]!.options.versions, ["1", "2"]);
  assert.throws(
    () => secure({ allowed: ["QUIC v3" as "QUIC v2"] }),
    (error) => error instanceof TapsFailure && /did you mean QUIC v/.test(error.hint ?? ""),
  );
});
