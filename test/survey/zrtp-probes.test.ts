import assert from "node:assert/strict";
import { test } from "node:test";
import { type InterfaceName, interfaceNames, tableOne } from "../../src/contract/index.js";
import { nodeHost } from "../../src/hosts/node/index.js";
import { type Cell, survey } from "../../src/survey/index.js";
import { zrtpProbes } from "../../src/survey/probes/zrtp/index.js";
import { openStage, type Stage } from "../../src/survey/probes/zrtp/stage.js";

const whole = openStage(nodeHost());

async function cellsOf(stage: Stage, ...only: readonly InterfaceName[]): Promise<readonly Cell[]> {
  const cells: Cell[] = [];
  const wanted = (protocol: string, cell: InterfaceName) =>
    protocol === "ZRTP" && (only.length === 0 || only.includes(cell));
  for await (const cell of survey({ probes: [zrtpProbes(stage)], wanted })) cells.push(cell);
  return cells;
}

test("ZRTP's six cells are demonstrated, two beyond the table, and the other blanks refused", async () => {
  const cells = await cellsOf(whole);
  assert.equal(tableOne.ZRTP.length, 6);
  assert.deepEqual(
    cells.map((cell) => [cell.interface, cell.status]),
    interfaceNames.map((name) => [
      name,
      tableOne.ZRTP.includes(name) ? "demonstrated" : name === "PSKE" || name === "KE" ? "beyond" : "absent",
    ]),
    cells.map(({ interface: name, evidence }) => `${name}: ${evidence}`).join("\n"),
  );
});

/** A session that does otherwise than it is asked. */
const lying = (change: (session: Stage extends { view(of: infer S): unknown } ? S : never) => object): Stage => ({
  ...whole,
  view: (session) =>
    new Proxy(session, {
      get(target, name) {
        const other = change(target) as Record<PropertyKey, unknown>;
        if (name in other) return other[name];
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    }),
});

for (const [cell, what, stage] of [
  ["IPK", "another ZID than was given", { ...whole, near: ({ zid: _, ...rest }) => rest }],
  ["ALG", "algorithms that nobody asked for", { ...whole, near: (options) => ({ ...options, algorithms: {} }) }],
  ["CM", "a cache that keeps nothing", { ...whole, far: ({ cache: _, ...rest }) => rest }],
  ["PSKI", "a secret that is not used", { ...whole, near: ({ auxiliary: _, ...rest }) => rest }],
  ["IV", "words that nobody can compare", lying(() => ({ compared: () => undefined }))],
  ["CT", "a session that does not close", lying(() => ({ close: () => undefined }))],
  [
    "PSKE",
    "keys that differ",
    lying((session) => ({ exportKey: () => new Uint8Array([session.ssrc & 0xff, (session.ssrc >>> 8) & 0xff]) })),
  ],
  ["KE", "an end that is not told", { ...whole, near: ({ keyLifetime: _, ...rest }) => rest }],
] as const satisfies readonly (readonly [InterfaceName, string, Stage])[]) {
  test(`${what} fails ${cell}`, async () => {
    const [seen] = await cellsOf(stage, cell);
    assert.equal(seen?.status, "failed", seen?.evidence);
  });
}

test("ZRTP is shown with media and the words", async () => {
  const { shows } = zrtpProbes(whole);
  const [shown] = await Promise.all(shows.map((show) => show.run({ signal: AbortSignal.timeout(20_000) })));
  assert.deepEqual([shown!.version, shown!.bytes, shown!.keyExchange], ["ZRTP 1.10", 20 * 172, "X255"]);
  assert.match(shown!.authenticated, /^by words: [ybndrfg8ejkmcpqxot1uwisza345h769]{4}$/);
});
