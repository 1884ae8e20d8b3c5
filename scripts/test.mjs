// Runs the compiled test files with Node's runner: `npm test [-- part-of-a-path …]`.
// Two files run at a time. Interop suites take free ports of 127.0.0.1 and share one folder of certificates, made once
// by whichever file comes first, so nothing is fixed and order does not matter.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const wanted = process.argv.slice(2);
const files = [];
(function walk(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) walk(path);
    else if (entry.name.endsWith(".test.js")) files.push(path);
  }
})("dist/test");
const chosen = files.filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part))).sort();
if (chosen.length === 0) {
  console.error(`no test file matches ${wanted.join(" ")}`);
  process.exit(2);
}
const folder = mkdtempSync(join(tmpdir(), "sealport-test-"));
const run = spawnSync(
  process.execPath,
  [
    "--enable-source-maps",
    "--test",
    "--test-reporter=spec",
    "--test-concurrency=2",
    "--test-timeout=300000",
    ...chosen,
  ],
  { stdio: "inherit", env: { ...process.env, SEALPORT_TEST_FOLDER: folder } },
);
rmSync(folder, { recursive: true, force: true });
process.exit(run.status ?? 1);
