import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));

test("docs/json.md has every event that the command line writes, and no other", () => {
  const folder = join(root, "src/cli");
  const sources = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  const written = new Set<string>();
  for (const name of sources) {
    for (const [, event] of readFileSync(join(folder, name), "utf8").matchAll(/\.event\("([a-z-]+)"/g))
      written.add(event!);
  }
  const page = readFileSync(join(root, "docs/json.md"), "utf8");
  const documented = new Set([...page.matchAll(/^\| `([a-z-]+)`/gm)].map(([, event]) => event!));
  assert.deepEqual([...documented].sort(), [...written].sort());
  assert.ok(written.size >= 10);
});
