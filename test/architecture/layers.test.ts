import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { test } from "node:test";

/** Room → rooms that it may import. A protocol's listed neighbours stand in `neighbours`. */
const below = ["contract", "bytes", "crypto", "pki", "mechanisms"];
const rules: Readonly<Record<string, readonly string[]>> = {
  contract: [],
  bytes: ["contract"],
  crypto: ["contract", "bytes"],
  pki: ["contract", "bytes", "crypto"],
  mechanisms: ["contract", "bytes"],
  protocols: below,
  stack: ["contract", "bytes", "mechanisms"],
  tunnels: ["contract", "bytes", "mechanisms", "protocols", "stack"],
  taps: [...below, "protocols", "stack", "tunnels"],
  hosts: ["contract", "bytes", "crypto", "mechanisms"],
  adapters: [...below, "protocols", "stack", "tunnels", "taps", "hosts"],
  survey: [...below, "protocols", "stack", "tunnels", "taps", "hosts", "adapters"],
  explorer: [...below, "protocols", "stack", "tunnels", "taps", "hosts", "adapters", "survey"],
  cli: [...below, "protocols", "stack", "tunnels", "taps", "hosts", "adapters", "survey", "explorer"],
};
const neighbours: Readonly<Record<string, readonly string[]>> = {
  dtls: ["tls"],
  quic: ["tls"],
  openvpn: ["tls"],
  gquic: ["quic"],
  "dtls-srtp": ["dtls", "srtp", "tls"],
  zrtp: ["srtp"],
  esp: [],
  ikev2: ["esp"],
};
/** Rooms that touch the platform. */
const platform = new Set(["hosts", "adapters", "cli", "explorer", "survey"]);
const forbidden: readonly [RegExp, string][] = [
  [/from "node:/, "node: import"],
  [/\bDate\.now\b|\bnew Date\(\)|\bperformance\./, "clock"],
  [/\bset(Timeout|Interval|Immediate)\b|\bqueueMicrotask\b/, "timer"],
  [/\bMath\.random\b|\bgetRandomValues\b|\brandomBytes\b/, "randomness"],
  [/\bprocess\.|\bglobalThis\.process\b/, "process"],
  [/\bBuffer\b/, "Buffer"],
  [/\bconsole\./, "console"],
];

const root = new URL("../../../src/", import.meta.url).pathname;

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory()
      ? sources(join(folder, entry.name))
      : entry.name.endsWith(".ts")
        ? [join(folder, entry.name)]
        : [],
  );
}

const withoutComments = (text: string): string =>
  text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "$1");

const files = sources(root).map((path) => {
  const name = relative(root, path);
  return {
    path,
    name,
    room: name.includes("/") ? name.split("/")[0]! : "doors",
    text: withoutComments(readFileSync(path, "utf8")),
  };
});

test("every room imports only what the drawing lets it", () => {
  const wrong: string[] = [];
  let checked = 0;
  for (const { name, room, text } of files) {
    if (room === "doors") continue;
    const allowed = rules[room];
    assert.ok(allowed, `room ${room} is not in the drawing`);
    checked++;
    for (const [, target] of text.matchAll(/(?:from|import\()\s*"(\.[^"]*)"/g)) {
      const reached = relative(root, new URL(target!, `file://${root}${name}`).pathname);
      const [toRoom, toProtocol] = reached.split("/");
      if (toRoom === room) {
        const own = name.split("/")[1]!;
        if (room !== "protocols" || own === toProtocol || neighbours[own]?.includes(toProtocol!)) continue;
        wrong.push(`${name} → ${reached}`);
      } else if (!allowed.includes(toRoom!)) wrong.push(`${name} → ${reached}`);
      else if (
        toRoom === "protocols" &&
        (room === "taps" || room === "tunnels") &&
        !/^protocols\/[^/]+\/(parameters\/index|profile|index)\.js$/.test(reached)
      ) {
        wrong.push(`${name} → ${reached} (not by its door)`);
      }
    }
  }
  assert.deepEqual(wrong, []);
  assert.equal(checked, files.filter(({ name }) => name.includes("/")).length);
  assert.ok(checked >= 18, `only ${checked} files were seen`);
});

test("outside the platform's rooms there is no platform", () => {
  const wrong: string[] = [];
  for (const { name, room, text } of files) {
    if (platform.has(room) || room === "doors") continue;
    for (const [pattern, what] of forbidden) if (pattern.test(text)) wrong.push(`${name}: ${what}`);
  }
  assert.deepEqual(wrong, []);
});
