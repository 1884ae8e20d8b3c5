import assert from "node:assert/strict";
import { test } from "node:test";
import { type InterfaceName, interfaceNames, tableOne } from "../../src/contract/index.js";
import { nodeHost } from "../../src/hosts/node/index.js";
import { type Cell, survey } from "../../src/survey/index.js";
import { dtlsProbes } from "../../src/survey/probes/dtls/index.js";
import { openStage, type Stage } from "../../src/survey/probes/dtls/stage.js";

const whole = await openStage(nodeHost());

async function cellsOf(stage: Stage, ...only: readonly InterfaceName[]): Promise<readonly Cell[]> {
  const cells: Cell[] = [];
  const wanted = (protocol: string, cell: InterfaceName) =>
    protocol === "DTLS" && (only.length === 0 || only.includes(cell));
  for await (const cell of survey({ probes: [dtlsProbes(stage)], wanted })) cells.push(cell);
  return cells;
}

test("DTLS's ten cells are demonstrated, mobility beyond the table, and the other two blanks refused", async () => {
  const cells = await cellsOf(whole);
  assert.equal(tableOne.DTLS.length, 10);
  assert.deepEqual(
    cells.map((cell) => [cell.interface, cell.status]),
    interfaceNames.map((name) => [
      name,
      tableOne.DTLS.includes(name) ? "demonstrated" : name === "ME" ? "beyond" : "absent",
    ]),
    cells.map(({ interface: name, evidence }) => `${name}: ${evidence}`).join("\n"),
  );
  for (const { interface: name, evidence, status } of cells) {
    if (status === "absent") continue;
    assert.ok(evidence.startsWith("own ends: "), evidence);
    // OpenSSL has neither key updates, which are 1.3's, nor connection IDs.
    assert.equal(evidence.includes(whole.openssl!.name), name !== "KU" && name !== "ME", `${name}: ${evidence}`);
  }
});

const changed = (change: Partial<Stage>): Stage => ({ ...whole, ...change });

test("a server that asks for no cookie fails SAV", async () => {
  const stage = changed({ receive: (options) => whole.receive({ ...options, addressValidation: "none" }) });
  const [cell] = await cellsOf(stage, "SAV");
  assert.equal(cell?.status, "failed", cell?.evidence);
});

test("a session without connection IDs fails ME, and keys that do not change fail KU", async () => {
  const without = changed({
    meet: (client, { connectionIdSize: _, ...server }) => whole.meet(client, server),
  });
  const bent = changed({
    meet: async (...args) => {
      const meeting = await whole.meet(...args);
      // It says that it has new keys, and keeps the old.
      const pretend = () => {
        for (const end of [meeting.client, meeting.server]) {
          for (const direction of ["read", "write"] as const) end.keyUpdated(direction, false);
        }
      };
      Object.defineProperty(meeting.client.session, "updateKeys", { value: pretend });
      return meeting;
    },
  });
  const cells = await Promise.all([cellsOf(without, "ME"), cellsOf(bent, "KU")]);
  assert.deepEqual(
    cells.flat().map(({ status }) => status),
    ["failed", "failed"],
  );
});

test("a witness who does not see the next keys fails KU", async () => {
  const bent = changed({
    meet: async (...args) => {
      const meeting = await whole.meet(...args);
      const { toServer, toClient } = meeting.wire;
      // Two bits of the epoch are in the first byte; those of the fourth are zero.
      const isNext = (datagram: Uint8Array) => (datagram[0]! & 0xe3) === 0x20;
      const seen = {
        toClient,
        get toServer() {
          return toServer.filter((each) => !isNext(each));
        },
      };
      return Object.defineProperty(meeting, "wire", { value: seen });
    },
  });
  const [cell] = await cellsOf(bent, "KU");
  assert.equal(cell?.status, "failed");
  assert.match(cell!.evidence, /next keys open what was said after, CLIENT/);
});

test("shows move data and say what was agreed, with OpenSSL in both roles", async () => {
  const { shows } = dtlsProbes(whole);
  const shown = await Promise.all(shows.map((show) => show.run({ signal: new AbortController().signal })));
  assert.deepEqual(
    shown.map(({ version, bytes }) => [version, bytes]),
    [
      ["DTLS 1.3", 2_000],
      ["DTLS 1.2", 2_000],
      ["DTLS 1.2", 39],
      ["DTLS 1.2", 39],
    ],
  );
});
