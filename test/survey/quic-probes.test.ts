import assert from "node:assert/strict";
import { test } from "node:test";
import { type InterfaceName, interfaceNames, tableOne } from "../../src/contract/index.js";
import { nodeHost } from "../../src/hosts/node/index.js";
import type { QuicSession } from "../../src/protocols/quic/index.js";
import { type Cell, survey } from "../../src/survey/index.js";
import { quicProbes } from "../../src/survey/probes/quic/index.js";
import { type Meeting, openStage, type Stage } from "../../src/survey/probes/quic/stage.js";
import { findOpenssl } from "../../src/survey/stage/openssl.js";
import { peer } from "../interop/peers/find.js";

const opened = await openStage(nodeHost());
const ours: Stage = { ...opened, ngtcp2: undefined, openssl: undefined };

/** With strangers: the second OpenSSL of this machine, since the first may know no QUIC. */
async function withStrangers(): Promise<Stage> {
  peer("ngtcp2 0.12 server");
  const { command, prefix } = peer("OpenSSL 3.5");
  const openssl = await findOpenssl(opened.authority, [command, ...prefix]);
  assert.equal(openssl?.hasQuic, true);
  return { ...opened, openssl };
}

async function cellsOf(stage: Stage, ...only: readonly InterfaceName[]): Promise<readonly Cell[]> {
  const cells: Cell[] = [];
  const wanted = (protocol: string, cell: InterfaceName) =>
    protocol === "QUIC" && (only.length === 0 || only.includes(cell));
  for await (const cell of survey({ probes: [quicProbes(stage)], wanted })) cells.push(cell);
  return cells;
}

/** The same session, but for some of its members. */
function bent(session: QuicSession, members: Partial<QuicSession>): QuicSession {
  return new Proxy(session, {
    get(target, name) {
      if (name in members) return members[name as keyof QuicSession];
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === "function" ? value.bind(target) : value;
    },
    has: (target, name) => name in members || name in target,
  });
}

const meetings = (change: (meeting: Meeting) => void): Stage => ({
  ...ours,
  meet: async (...args) => {
    const meeting = await ours.meet(...args);
    change(meeting);
    return meeting;
  },
});

/** The two cells that later specifications fill; the third blank is refused. */
const beyond: readonly InterfaceName[] = ["PSKE", "KE"];

test("QUIC's ten cells are demonstrated, two beyond the table, and the blank is refused, ngtcp2 and OpenSSL taking part", async () => {
  const cells = await cellsOf(await withStrangers());
  assert.equal(tableOne.QUIC.length, 10);
  assert.deepEqual(
    cells.map((cell) => [cell.interface, cell.status]),
    interfaceNames.map((name) => [
      name,
      tableOne.QUIC.includes(name) ? "demonstrated" : beyond.includes(name) ? "beyond" : "absent",
    ]),
    cells.map(({ interface: name, evidence }) => `${name}: ${evidence}`).join("\n"),
  );
  const seenBy = (who: string) => cells.filter(({ evidence }) => evidence.includes(who)).map((cell) => cell.interface);
  assert.deepEqual(seenBy("gtlsserver"), ["IPK", "ALG", "EXT", "CM", "IV", "SAV", "CT", "KU", "ME"]);
  assert.deepEqual(seenBy("OpenSSL 3.5"), ["IPK", "PSKI"]);
});

test("where no stranger is at hand, QUIC's evidence names none", async () => {
  for (const { evidence } of await cellsOf(ours, ...tableOne.QUIC)) {
    assert.match(evidence, /^own ends: /);
    assert.doesNotMatch(evidence, /gtlsserver|OpenSSL/);
  }
});

test("the shows of QUIC move their data", async () => {
  for (const show of quicProbes(opened).shows) {
    const { version, bytes, roundTrips } = await show.run({ signal: AbortSignal.timeout(10_000) });
    assert.match(version, /^QUIC v[12]$/);
    assert.ok(bytes >= 3 && roundTrips >= 1, show.title);
  }
});

/** For each cell, a stage on which its effect does not happen, and what the probe then misses. */
const broken: readonly (readonly [what: string, InterfaceName, Stage, RegExp])[] = [
  [
    "a server that shows one certificate under every name",
    "IPK",
    { ...ours, meet: async (c, s) => ours.meet(c, { ...s, identity: await ours.authority.identity("a.survey.test") }) },
    /the certificate of b\.survey\.test|refused|name|not for/,
  ],
  [
    "a client that ignores its lists",
    "ALG",
    { ...ours, meet: ({ suites: _, groups: __, ...c }, s) => ours.meet(c, s) },
    /TLS_AES_256_GCM_SHA384 after it alone was allowed/,
  ],
  [
    "a client that does not look at versions",
    "ALG",
    { ...ours, meet: (c, s) => ours.meet({ ...c, versions: ["1"] }, { ...s, versions: ["1"] }) },
    /version 2 after it alone was allowed/,
  ],
  [
    "a server that answers an extension with something else",
    "EXT",
    {
      ...ours,
      meet: (c, s) =>
        ours.meet(c, { ...s, extensions: s.extensions!.map((each) => ({ ...each, data: new Uint8Array(1) })) }),
    },
    /the server's answer at the client/,
  ],
  [
    "ends that do without a common protocol",
    "EXT",
    { ...ours, clash: (c, s) => ours.clash({ ...c, alpn: ["survey/1"] }, s) },
    /that the two do not come together/,
  ],
  [
    "a client that keeps no sessions",
    "CM",
    meetings(({ outcome }) => Object.assign(outcome, { client: { ...outcome.client, mode: "full" } })),
    /a resumption/,
  ],
  [
    "0-RTT that comes after the handshake",
    "CM",
    meetings(({ server }) => {
      server.earlyBeforeConfirmed = false;
      Object.defineProperty(server, "earlyBeforeConfirmed", { get: () => false, set: () => {} });
    }),
    /0-RTT data before the handshake was over/,
  ],
  [
    "a server that takes any pre-shared key",
    "PSKI",
    { ...ours, clash: (c, s) => ours.clash({ ...c, psks: s.psks as never }, s) },
    /that the two do not come together/,
  ],
  [
    "a client that asks nobody",
    "IV",
    { ...ours, clash: (c, s) => ours.clash({ ...c, serverName: "survey.test", verify: ours.authority.verify }, s) },
    /that the two do not come together/,
  ],
  [
    "a server that never asks for a proof of the address",
    "SAV",
    { ...ours, receive: (s) => ours.receive({ ...s, retry: "never" }) },
    /a Retry and nothing else/,
  ],
  [
    "an end that goes without a word",
    "CT",
    meetings(({ client }) => {
      const { session } = client;
      client.session = bent(session, { close: () => session.abort() });
    }),
    /a clean end at the other end|too long/,
  ],
  [
    "a path that cannot go dark",
    "CT",
    meetings(({ client, wire }) => {
      wire.cut = () => client.session.close();
    }),
    /that silence is an idle timeout at both ends/,
  ],
  [
    "a session that says that it has new keys and keeps the old",
    "KU",
    meetings(({ client }) => {
      client.session = bent(client.session, { updateKeys: () => {} });
    }),
    /that the next keys open what was said after/,
  ],
  [
    "a NAT that forgets nothing",
    "ME",
    meetings(({ wire, server }) => {
      wire.rebind = async () => {};
      const { until } = server;
      server.until = async (seen, despiteEnd) =>
        seen.toString().includes("moves") ? undefined : until.call(server, seen, despiteEnd);
      server.session = bent(server.session, { remote: { address: "127.0.0.1", port: 1 } });
    }),
    /the server following the client/,
  ],
  [
    "a client that stays where it is",
    "ME",
    meetings(({ client }) => {
      client.session = bent(client.session, { migrate: async () => {} });
    }),
    /another port of the client's own/,
  ],
  [
    "an end that exports other bytes",
    "PSKE",
    meetings(({ server }) => {
      server.session = bent(server.session, { exportKey: (_, length) => new Uint8Array(length).fill(1) });
    }),
    /the same bytes at both ends/,
  ],
  [
    "keys that last for ever",
    "KE",
    { ...ours, meet: ({ packetsPerKeyMax: _, ...c }, s) => ours.meet(c, s) },
    /that keys near their limit are told of/,
  ],
];

for (const [what, cell, stage, missed] of broken) {
  test(`the proof of QUIC's ${cell} notices ${what}`, async () => {
    const [found] = await cellsOf(stage, cell);
    assert.equal(found!.status, "failed", found!.evidence);
    assert.match(found!.evidence, missed);
  });
}

test("QUIC's blank, if a session offers it after all, has failed", async () => {
  const stage = meetings(({ client }) => {
    client.session = bent(client.session, { requestAuthentication: () => {} } as Partial<QuicSession>);
  });
  const [found] = await cellsOf(stage, "AD");
  assert.equal(found!.status, "failed");
});
