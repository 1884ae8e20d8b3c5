import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { policyFile } from "../../../src/hosts/node/index.js";
import { readSystemPolicy, TapsFailure } from "../../../src/taps/index.js";

test("a policy file is read strictly: every key and value has its place in the error", () => {
  const policy = {
    allowedSecurityProtocols: ["TLS 1.3"],
    equivalentSecurityProtocols: [["TLS", "QUIC"]],
    cleartext: "prohibited",
    interface: { wifi: "avoid" },
    transport: { multistreaming: "prefer" },
    racing: { attemptDelayMs: 100 },
  };
  assert.deepEqual(readSystemPolicy(policy), policy);
  for (const [wrong, at] of [
    [{ allowed: [] }, "policy.allowed"],
    [{ cleartext: "yes" }, "policy.cleartext"],
    [{ allowedSecurityProtocols: ["SSL"] }, "allowedSecurityProtocols"],
    [{ interface: { wifi: "never" } }, "policy.interface.wifi"],
    [{ transport: { reliabilty: "prefer" } }, "policy.transport.reliabilty"],
    [{ racing: { attemptDelayMs: -1 } }, "policy.racing.attemptDelayMs"],
    [[], "policy"],
  ] as const) {
    assert.throws(
      () => readSystemPolicy(wrong),
      (error: unknown) => error instanceof TapsFailure && error.at === at,
      at,
    );
  }
});

test("nothing makes the policy reader throw anything but invalid-configuration (seed 3623)", () => {
  const keys = fc.constantFrom(
    "allowedSecurityProtocols",
    "equivalentSecurityProtocols",
    "cleartext",
    "interface",
    "transport",
    "racing",
    "x",
  );
  fc.assert(
    fc.property(fc.oneof(fc.anything(), fc.dictionary(keys, fc.anything())), (json) => {
      try {
        readSystemPolicy(json);
      } catch (error) {
        assert.ok(error instanceof TapsFailure && error.reason === "invalid-configuration", String(error));
      }
    }),
    { seed: 3623, numRuns: 2_000 },
  );
});

test("the host's policy file binds the root door, and one that cannot be read is not taken for none", () => {
  const folder = mkdtempSync(join(tmpdir(), "sealport-policy-"));
  try {
    const path = join(folder, "policy.json");
    writeFileSync(path, JSON.stringify({ cleartext: "prohibited" }));
    const door = fileURLToPath(new URL("../../../src/index.js", import.meta.url));
    const program = `import { dial } from ${JSON.stringify(door)};
      await dial("tcp://127.0.0.1:9").catch((error) => console.log(error.reason, error.fault));`;
    const env = { ...process.env, SEALPORT_POLICY: path };
    const said = execFileSync(process.execPath, ["--input-type=module", "-e", program], { env, encoding: "utf8" });
    assert.equal(said.trim(), "policy-prohibited refused");
    writeFileSync(path, "{");
    assert.throws(() => policyFile(path), /cannot be read/);
    assert.throws(() => policyFile(join(folder, "missing.json")), /cannot be read/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
