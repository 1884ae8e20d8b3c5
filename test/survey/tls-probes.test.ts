import assert from "node:assert/strict";
import { test } from "node:test";
import { type InterfaceName, interfaceNames, tableOne } from "../../src/contract/index.js";
import { nodeHost } from "../../src/hosts/node/index.js";
import type { TlsSession } from "../../src/protocols/tls/index.js";
import { type Cell, survey } from "../../src/survey/index.js";
import { tlsProbes } from "../../src/survey/probes/tls/index.js";
import { type Meeting, openStage, type Stage } from "../../src/survey/probes/tls/stage.js";
import { peer } from "../interop/peers/find.js";

const whole = await openStage(nodeHost());
const ours: Stage = { ...whole, openssl: undefined };

async function cellsOf(stage: Stage, ...only: readonly InterfaceName[]): Promise<readonly Cell[]> {
  const cells: Cell[] = [];
  const wanted = (protocol: string, cell: InterfaceName) =>
    protocol === "TLS" && (only.length === 0 || only.includes(cell));
  for await (const cell of survey({ probes: [tlsProbes(stage)], wanted })) cells.push(cell);
  return cells;
}

/** The same session, but for some of its members. */
function bent(session: TlsSession, members: Partial<TlsSession>): TlsSession {
  return new Proxy(session, {
    get(target, name) {
      if (name in members) return members[name as keyof TlsSession];
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

test("every cell of TLS's row is demonstrated and every blank refused, OpenSSL taking part", async () => {
  peer("OpenSSL 3.0");
  const cells = await cellsOf(whole);
  assert.deepEqual(
    cells.map((cell) => [cell.interface, cell.status]),
    interfaceNames.map((name) => [name, tableOne.TLS.includes(name) ? "demonstrated" : "absent"]),
    cells.map(({ interface: name, evidence }) => `${name}: ${evidence}`).join("\n"),
  );
  for (const { status, evidence } of cells) if (status === "demonstrated") assert.match(evidence, /OpenSSL 3\./);
});

/** For each cell, a stage on which its effect does not happen, and what the probe then misses. */
const broken: readonly (readonly [what: string, InterfaceName, Stage, RegExp])[] = [
  [
    "a server that shows one certificate under every name",
    "IPK",
    { ...ours, meet: async (c, s) => ours.meet(c, { ...s, identity: await ours.authority.identity("a.survey.test") }) },
    /the certificate of b\.survey\.test|refused|wrong-name|not for/,
  ],
  [
    "a client that ignores its lists",
    "ALG",
    { ...ours, meet: ({ suites: _, groups: __, ...c }, s) => ours.meet(c, s) },
    /TLS_AES_256_GCM_SHA384 after it alone was allowed/,
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
    "a client that keeps no sessions",
    "CM",
    meetings(({ outcome }) => Object.assign(outcome, { client: { ...outcome.client, mode: "full" } })),
    /a resumption/,
  ],
  [
    "a server that takes any pre-shared key",
    "PSKI",
    { ...ours, clash: (c, s) => ours.clash({ ...c, psks: s.psks! }, s) },
    /that the two do not come together/,
  ],
  [
    "a client that asks nobody",
    "IV",
    { ...ours, clash: (c, s) => ours.clash({ ...c, serverName: "survey.test", verify: ours.authority.verify }, s) },
    /that the two do not come together/,
  ],
  [
    "an end that goes without a close_notify",
    "CT",
    meetings(({ client, wire }) => {
      client.session = bent(client.session, { finish: () => wire.cut() });
    }),
    /broke off|truncated|without|close_notify/i,
  ],
  [
    "a wire that cannot be cut",
    "CT",
    meetings(({ client, server, wire }) => {
      wire.cut = () => {
        client.session.finish();
        server.session.finish();
      };
    }),
    /that a cut wire is a failure at both ends/,
  ],
  [
    "a session that says that it has new keys and keeps the old",
    "KU",
    meetings(({ client }) => {
      client.session = bent(client.session, { updateKeys: () => {} });
      client.getsKeyUpdates = async () => {};
    }),
    /that the next keys open what was said after/,
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
    "an exporter that does not look at its label",
    "PSKE",
    meetings(({ client, server }) => {
      for (const end of [client, server]) {
        const { session } = end;
        end.session = bent(session, { exportKey: (_, length, context) => session.exportKey("x", length, context) });
      }
    }),
    /other bytes for another label/,
  ],
];

for (const [what, cell, stage, missed] of broken) {
  test(`the proof of ${cell} notices ${what}`, async () => {
    const [found] = await cellsOf(stage, cell);
    assert.equal(found!.status, "failed");
    assert.match(found!.evidence, missed);
  });
}

test("a blank that a session offers after all has failed", async () => {
  const stage = meetings(({ client }) => {
    client.session = bent(client.session, { onMoved: () => {} } as Partial<TlsSession>);
  });
  const [found] = await cellsOf(stage, "ME");
  assert.equal(found!.status, "failed");
});
