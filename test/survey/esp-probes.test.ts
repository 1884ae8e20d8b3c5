import assert from "node:assert/strict";
import { test } from "node:test";
import { type InterfaceName, interfaceNames, Secret, tableOne } from "../../src/contract/index.js";
import { nodeHost } from "../../src/hosts/node/index.js";
import type { AssociationPair } from "../../src/protocols/esp/index.js";
import { type Cell, survey } from "../../src/survey/index.js";
import { espProbes } from "../../src/survey/probes/esp/index.js";
import { aes256Gcm, type EspStage, openStage } from "../../src/survey/probes/esp/stage.js";

const whole = openStage(nodeHost());

async function cellsOf(stage: EspStage, ...only: readonly InterfaceName[]): Promise<readonly Cell[]> {
  const cells: Cell[] = [];
  const wanted = (protocol: string, cell: InterfaceName) =>
    protocol === "ESP" && (only.length === 0 || only.includes(cell));
  for await (const cell of survey({ probes: [espProbes(stage)], wanted })) cells.push(cell);
  return cells;
}

test("ESP's two cells are demonstrated, four beyond the table, and the other blanks refused", async () => {
  const beyond: readonly InterfaceName[] = ["ALG", "CT", "KU", "ME"];
  const cells = await cellsOf(whole);
  assert.deepEqual(
    cells.map((cell) => [cell.interface, cell.status]),
    interfaceNames.map((name) => [
      name,
      tableOne.ESP.includes(name) ? "demonstrated" : beyond.includes(name) ? "beyond" : "absent",
    ]),
    cells.map(({ interface: name, evidence }) => `${name}: ${evidence}`).join("\n"),
  );
});

const keyed = (keysIn: Uint8Array, keysOut: Uint8Array) => (pair: AssociationPair) => ({
  ...pair,
  algorithms: aes256Gcm,
  keysIn: { encryption: Secret.copy(keysIn), integrity: undefined },
  keysOut: { encryption: Secret.copy(keysOut), integrity: undefined },
});
const [one, another] = [new Uint8Array(36).fill(1), new Uint8Array(36).fill(2)];
/** Ends that take no notice of the keys and algorithms that they are given. */
const deaf: EspStage = { ...whole, near: keyed(one, another), far: keyed(another, one) };

/** An end that goes on with the first keys that it was given. */
function stubborn(): EspStage {
  let kept: ReturnType<typeof keyed> | undefined;
  const near = (pair: AssociationPair) => {
    kept ??= keyed(pair.keysIn.encryption.expose().slice(), pair.keysOut.encryption.expose().slice());
    return kept(pair);
  };
  return { ...whole, near };
}

/** A tunnel to which one kind of input means nothing. */
const ignoring = (kind: string): EspStage => ({
  ...whole,
  view: (tunnel) =>
    new Proxy(tunnel, {
      get(target, name) {
        if (name !== "handle") return Reflect.get(target, name, target);
        return (input: Parameters<typeof tunnel.handle>[0]) => input.kind !== kind && target.handle(input);
      },
    }),
});

for (const [cell, what, stage, seen] of [
  ["PSKI", "keys that are not those that were given", deaf, /our packet under those keys/],
  ["PSKI", "an end that goes on with other keys than it is given", stubborn(), /nothing passes by other keys/],
  ["ALG", "algorithms that nobody asked for", deaf, /aes-256-gcm on the wire|hidden by all but NULL/],
  ["KE", "keys that do not wear out", { ...whole, near: ({ lifetime: _, ...pair }) => pair }, /the soft limit/],
  [
    "KE",
    "keys that go on behind the hard limit",
    { ...whole, near: ({ lifetime, ...pair }) => ({ ...pair, lifetime: { soft: lifetime?.soft } }) },
    /the end at the hard limit/,
  ],
  ["KU", "a pair that takes over from none", { ...whole, near: ({ replaces: _, ...pair }) => pair }, /begin with/],
  ["CT", "a pair that stays", ignoring("remove"), /gone at once/],
  ["ME", "an end that does not follow", { ...whole, far: ({ follows: _, ...pair }) => pair }, /where it is now/],
  ["ME", "an end that is told to move and stays", ignoring("move"), /where it is now/],
] as const satisfies readonly (readonly [InterfaceName, string, EspStage, RegExp])[]) {
  test(`${what}: ${cell} fails`, async () => {
    const [found] = await cellsOf(stage, cell);
    assert.equal(found?.status, "failed", found?.evidence);
    assert.match(found.evidence, seen);
  });
}

test("ESP is shown with keys by hand, and no handshake", async () => {
  const [show] = espProbes(whole).shows;
  const shown = await show!.run({ signal: AbortSignal.timeout(20_000) });
  assert.deepEqual([shown.version, shown.keyExchange, shown.roundTrips, shown.bytes], ["ESP", "none", 0, 6_000]);
});
