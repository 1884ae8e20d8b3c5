import assert from "node:assert/strict";
import { test } from "node:test";
import { Secret } from "../../src/contract/index.js";
import { nodeHost } from "../../src/hosts/node/index.js";
import { type Cell, survey } from "../../src/survey/index.js";
import { openStage, type Stage, srtpProbes } from "../../src/survey/probes/srtp/index.js";

const whole = await openStage(nodeHost());

async function cellsOf(stage: Stage, ...only: readonly string[]): Promise<readonly Cell[]> {
  const cells: Cell[] = [];
  const wanted = (protocol: string, cell: string) => protocol === "SRTP" && (only.length === 0 || only.includes(cell));
  for await (const cell of survey({ probes: [srtpProbes(stage)], wanted })) cells.push(cell);
  return cells;
}

test("SRTP's own interfaces are shown, with FFmpeg, GStreamer and OpenSSL where they have them", async () => {
  const cells = (await cellsOf(whole)).filter(({ status }) => status !== "absent");
  const strangers: Readonly<Record<string, readonly string[]>> = {
    ALG: ["OpenSSL"],
    PSKI: ["FFmpeg", "GStreamer"],
    KU: [],
    KE: [],
  };
  assert.deepEqual(cells.map((cell) => cell.interface).sort(), Object.keys(strangers).sort());
  for (const { interface: name, status, evidence } of cells) {
    assert.equal(status, "beyond", `${name}: ${evidence}`);
    assert.ok(evidence.startsWith("own ends: "), evidence);
    for (const stranger of strangers[name]!) assert.ok(evidence.includes(stranger), `${name}: ${evidence}`);
  }
});

test("a stranger that was given another key fails PSKI", async () => {
  const senders = whole.senders.slice(0, 1).map((sender) => ({
    ...sender,
    play: (...[profile, { key, salt }, port, signal]: Parameters<typeof sender.play>) =>
      sender.play(
        profile,
        { key: new Secret(key.expose().map((byte) => byte ^ 1)), salt },
        port,
        AbortSignal.any([signal, AbortSignal.timeout(2_000)]),
      ),
  }));
  assert.equal(senders.length, 1);
  const [cell] = await cellsOf({ ...whole, senders }, "PSKI");
  assert.equal(cell?.status, "failed");
  assert.match(cell!.evidence, /'s tone/);
});
