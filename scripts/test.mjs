// Runs the compiled test files with Node's runner: `npm test [-- part-of-a-path …]`.
// Interop suites talk to real programs on fixed resources, so files run a few at a time.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
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
const run = spawnSync(
  process.execPath,
  ["--enable-source-maps", "--test", "--test-concurrency=2", "--test-timeout=120000", ...chosen],
  { stdio: "inherit" },
);
process.exit(run.status ?? 1);
