import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { outdated, pages } from "../../scripts/docs.js";
import { doors, exportsOf } from "../../scripts/doors.js";
import { commands } from "../../src/cli/commands.js";

const root = fileURLToPath(new URL("../../../", import.meta.url));

test("groff has nothing to say against the manual page, and reads every command in it", () => {
  const page = spawnSync("groff", ["-man", "-Tutf8", "-ww", "-P-cbou", join(root, "docs/sealport.1")], {
    encoding: "utf8",
  });
  assert.equal(page.error, undefined, "groff is in Debian's groff-base");
  assert.equal(page.stderr, "");
  for (const { name } of commands) assert.match(page.stdout, new RegExp(`^ {3}sealport ${name}\\b`, "m"));
});

test("docs/cli.md, the manual page and docs/api are what the code says now", () => {
  assert.deepEqual(outdated(root), [], "npm run docs");
  assert.ok(pages(root).size >= 4);
});

test("every function and class of the main door says what it is for", () => {
  const index = doors(root).get(".")!;
  const silent = [...exportsOf(index).values()]
    .filter(({ kind, doc }) => ["function", "class"].includes(kind) && doc === "")
    .map(({ name, path }) => `${name} (${path.slice(root.length)})`);
  assert.deepEqual(silent, []);
});
