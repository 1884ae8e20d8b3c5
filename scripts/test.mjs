// Runs the compiled test files with Node's runner: `npm test [-- part-of-a-path …]`.
//
// Two files run at a time, and beside them those that only wait. Interop suites take free ports of 127.0.0.1 and share one folder of certificates, made once
// by whichever file comes first, so nothing is fixed and order does not matter.
//
// A file that depends on which crypto provider the host chooses is run on both: as it is, which is native where that
// can be had, and behind a file of two lines that turns native off.
//
// What depends on us alone is run once, and its first word is final. What meets other programs depends on their ports
// and on when they are scheduled too: a file of those that fails is run again when all is quiet. It must pass then, and
// the last line says that it had to be asked twice, so that nobody overlooks it.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";

const root = "dist/test";
const portable = "dist/test-portable";
/** The module that chooses the provider: who imports it, directly or not, depends on the choice. */
const chooser = resolve("dist/src/hosts/node/crypto.js");
/** What is about volume, packaging or other people's programs says nothing new on a second provider; hosts try both. */
const once = [
  "cli/",
  "docs/",
  "package/",
  "laws/node-network",
  "unit/hosts/",
  "scenarios/throughput",
  "scenarios/quic-network",
  "scenarios/quic-anything",
  "hostile/quic/floods",
  "hostile/gquic",
  "interop/bulk",
  "interop/curvecp",
  "interop/drivers",
  "interop/ethernet-kernel",
  "interop/tcp-kernel",
  "interop/tcpcrypt-kernel",
  "interop/tun",
  "interop/dtls-framed",
  "interop/dtls-srtp",
  "interop/zrtp",
  "interop/srtp-media",
  "interop/webrtc",
  "interop/wireguard",
  "interop/esp",
  "interop/ipsec",
  "interop/openvpn",
  "interop/ike",
  "interop/ml-dsa",
  "interop/quic-",
];
/** Who meets other programs. */
const strangers = ["cli/", "docs/examples", "interop/", "survey/"];
/** More than these is no accident. */
const askedTwiceMax = 3;
/** Minutes of next to no work, for they await a stranger's timers: beside all others, so that nothing waits for them. */
const waits = ["interop/wireguard-rekey"];

const wanted = process.argv.slice(2);
const chosen = files(root).filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)));
if (chosen.length === 0) {
  console.error(`no test file matches ${wanted.join(" ")}`);
  process.exit(2);
}
rmSync(portable, { recursive: true, force: true });
const again =
  process.env.SEALPORT_NATIVE === "off"
    ? []
    : chosen.filter((file) => !isOf(once, file) && reachesChooser(file)).map(onPortable);

let runsBegun = 0;
const folder = mkdtempSync(join(tmpdir(), "sealport-test-"));
const all = [...chosen, ...again];
const waiting = run(
  all.filter((file) => isOf(waits, file)),
  "pipe",
);
const working = run(
  all.filter((file) => !isOf(waits, file)),
  "inherit",
);
const runs = [await working, await waiting];
let status = runs.find((each) => each.status !== 0)?.status ?? 0;
const names = new Set(runs.flatMap((each) => each.failed.map(nameOf)));
const failed = all.filter((file) => names.has(nameOf(file)));
if (failed.length > 0 && names.size <= askedTwiceMax && failed.every((file) => isOf(strangers, file))) {
  console.error(`\nonce more, alone, for they meet other programs: ${[...names].join(" ")}\n`);
  ({ status } = await run(failed, "inherit", 1));
  console.error(`${status === 0 ? "passed only when asked twice" : "failed twice"}: ${[...names].join(" ")}`);
}
rmSync(folder, { recursive: true, force: true });
process.exit(status);

/** Runs the files; what they say is shown at once, or when they are done. */
async function run(files, stdout, atOnce = 2) {
  if (files.length === 0) return { status: 0, failed: [] };
  const failures = join(folder, `failed-${runsBegun++}`);
  const child = spawn(
    process.execPath,
    [
      "--enable-source-maps",
      "--test",
      "--test-reporter=spec",
      "--test-reporter-destination=stdout",
      `--test-reporter=${resolve("scripts/failed-files.mjs")}`,
      `--test-reporter-destination=${failures}`,
      `--test-concurrency=${atOnce}`,
      "--test-timeout=600000",
      ...files,
    ],
    { stdio: ["inherit", stdout, stdout], env: { ...process.env, SEALPORT_TEST_FOLDER: folder } },
  );
  const said = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (bytes) => said.push(bytes));
  const status = await new Promise((resolve) => child.once("close", (code) => resolve(code ?? 1)));
  if (stdout === "pipe") await working;
  process.stdout.write(Buffer.concat(said));
  return { status, failed: readFileSync(failures, "utf8").split("\n").filter(Boolean) };
}

function files(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? files(path) : entry.name.endsWith(".test.js") ? [path] : [];
    })
    .sort();
}

function isOf(parts, file) {
  return parts.some((part) => nameOf(file).startsWith(part));
}

/** What a file is called, compiled or not and on either provider. */
function nameOf(file) {
  const name = relative(process.cwd(), resolve(file));
  return name.replace(/^(dist\/)?test(-portable)?\//, "").replace(/\.test\.[jt]s$/, "");
}

/** Does the file import the chooser, or something that does? */
function reachesChooser(file) {
  const seen = new Set([resolve(file)]);
  for (const path of seen) {
    if (path === chooser) return true;
    for (const [, target] of readFileSync(path, "utf8").matchAll(/(?:from|import)\s*\(?"(\.[^"]+)"/g)) {
      if (target.endsWith(".js")) seen.add(resolve(dirname(path), target));
    }
  }
  return false;
}

function onPortable(file) {
  const path = join(portable, relative(root, file));
  mkdirSync(dirname(path), { recursive: true });
  const target = relative(dirname(path), file);
  writeFileSync(path, `process.env.SEALPORT_NATIVE = "off";\nawait import(${JSON.stringify(target)});\n`);
  return path;
}
