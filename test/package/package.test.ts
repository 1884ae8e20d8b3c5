import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { publint } from "publint";
import { formatMessage } from "publint/utils";

const root = fileURLToPath(new URL("../../../", import.meta.url));

test("publint finds nothing to say", async () => {
  const { messages, pkg } = await publint({ pkgDir: root, strict: true });
  assert.deepEqual(
    messages.map((message) => formatMessage(message, pkg)),
    [],
  );
});

test("the packed package has the doors, their types, the program, and neither tests nor sources", () => {
  const folder = mkdtempSync(join(tmpdir(), "sealport-pack-"));
  try {
    execFileSync("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder], { cwd: root });
    const [tarball] = readdirSync(folder);
    const listed = execFileSync("tar", ["-tzf", join(folder, tarball!)], { encoding: "utf8" }).split("\n");
    assert.ok(listed.includes("package/dist/src/cli/main.js"));
    assert.ok(listed.includes("package/dist/src/index.d.ts"));
    const unwanted = listed.filter((name) => /\/(test|bench|scripts)\/|\.tsbuildinfo$|[^d]\.ts$/.test(name));
    assert.deepEqual(unwanted, []);
    // attw asks how the types resolve for an importer of ES modules, and for a bundler.
    const attw = join(root, "node_modules/.bin/attw");
    const said = execFileSync(attw, [join(folder, tarball!), "--profile", "esm-only", "--format", "json"], {
      encoding: "utf8",
      // It traces every door, and says a little more with each.
      maxBuffer: 64 * 1_048_576,
    });
    const { problems } = JSON.parse(said) as { readonly problems: Readonly<Record<string, unknown>> };
    // What remains are require() from CommonJS types (fine since Node 20.19) and resolution that is older than `exports`.
    const known = ["CJSResolvesToESM", "NoResolution"];
    assert.deepEqual(
      Object.keys(problems ?? {}).filter((problem) => !known.includes(problem)),
      [],
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("runtime dependencies are those that ARCHITECTURE.md gives a reason for", () => {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const reasons = readFileSync(join(root, "ARCHITECTURE.md"), "utf8").split("## Runtime dependencies")[1]!;
  const names = Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies });
  assert.ok(names.length > 0);
  for (const name of names) assert.ok(reasons.includes(`\`${name}\``), `${name} has no reason`);
});
