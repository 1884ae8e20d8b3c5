import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

/** What is compiled, since types are gone there: what stands in it is loaded. */
const compiled = new URL("../../src/", import.meta.url);

/** What everything loads that touches this host. */
const host = [
  "@noble/ciphers",
  "@noble/hashes",
  "@noble/post-quantum",
  "bytes",
  "contract",
  "crypto",
  "hosts",
  "mechanisms",
];
/** … and Transport Services on it, before they have been asked for any protocol. */
const base = [...host, "adapters", "taps"];
/** Who reads PEM. Certificates are checked by what comes with a protocol. */
const withPem = [...base, "pki"];
const tunnels = [...base, "dns-packet", "protocols/wireguard", "stack", "tunnels"];

/** Door → the rooms whose code is there once it has been imported, and no others. */
const loads: Readonly<Record<string, readonly string[]>> = {
  "index.js": withPem,
  "taps/index.js": ["bytes", "contract", "taps"],
  "hosts/node/index.js": host,
  "adapters/tunnel/index.js": tunnels,
  "protocols/wireguard/index.js": ["bytes", "contract", "mechanisms", "protocols/wireguard"],
  "protocols/srtp/index.js": ["bytes", "contract", "mechanisms", "protocols/srtp"],
  "cli/main.js": ["cli", "contract"],
  "cli/commands/help.js": ["bytes", "cli", "contract", "taps"],
  "cli/commands/tunnel.js": [...tunnels, "cli"],
  "cli/commands/exec.js": [...tunnels, "cli"],
  "cli/commands/ping.js": [...tunnels, "cli"],
  "cli/commands/srtp.js": [...host, "cli", "protocols/srtp"],
  "cli/commands/connect.js": [...withPem, "cli"],
  "cli/commands/listen.js": [...withPem, "cli"],
};

/** Every module that is loaded with this one: what is imported by statement, and what that imports. */
function reach(from: URL, seen: Set<string> = new Set()): ReadonlySet<string> {
  if (seen.has(from.href)) return seen;
  seen.add(from.href);
  const text = readFileSync(from, "utf8").replace(/^\s*(\/\*\*|\*|\/\/).*$/gm, "");
  for (const [, target] of text.matchAll(/^(?:import|export)\s(?:[^"'`;]*?\sfrom\s+)?"([^"]+)"/gm)) {
    if (target!.startsWith(".")) reach(new URL(target!, from), seen);
    else if (!target!.startsWith("node:")) seen.add(target!);
  }
  return seen;
}

/** A protocol's profile and parameters are what can be known of it without its code. */
function roomOf(module: string): string | undefined {
  if (!module.startsWith(compiled.href)) return module.split("/", module.startsWith("@") ? 2 : 1).join("/");
  const [room, protocol, part] = module.slice(compiled.href.length).split("/");
  if (room !== "protocols") return room!.endsWith(".js") ? undefined : room;
  return part === "profile.js" || part === "parameters" ? undefined : `${room}/${protocol}`;
}

const roomsOf = (door: string): readonly string[] =>
  [...new Set([...reach(new URL(door, compiled))].map(roomOf))].filter((room) => room !== undefined).sort();

for (const [door, rooms] of Object.entries(loads)) {
  test(`${door} loads the rooms that it needs at once, and no others`, () => {
    assert.deepEqual(roomsOf(door), [...rooms].sort());
  });
}

test("the rows of the stacks bring no protocol's code, and each of the protocols that they load is there", async () => {
  const { protocolStacks } = await import("../../src/taps/index.js");
  const lazy = protocolStacks.filter(({ load }) => load !== undefined);
  assert.deepEqual(
    lazy.map(({ name }) => name),
    [
      ...[
        "TLS/TCP",
        "QUIC/UDP",
        "QUIC/UDP messages",
        "MinimaLT/UDP",
        "CurveCP/UDP",
        "gQUIC/UDP",
        "tcpcrypt/TCP",
        "DTLS/UDP",
      ],
      ...["DTLS/RFC 4571/TCP", "SRTP/UDP", "SRTP/RFC 4571/TCP"],
    ],
  );
  for (const stack of lazy) {
    assert.throws(() => stack.open({} as never), /has not been loaded/);
    await stack.load!();
    assert.equal(stack.load!(), undefined);
  }
});

test("what is known of protocols without their code stands on nothing but the contract", () => {
  const profiles = readdirSync(new URL("protocols/", compiled))
    .map((protocol) => `protocols/${protocol}/profile.js`)
    .filter((profile) => existsSync(new URL(profile, compiled)));
  assert.ok(profiles.length >= 3, `${profiles.length} profiles`);
  for (const door of [...profiles, "protocols/tls/parameters/index.js"]) {
    assert.deepEqual(
      roomsOf(door).filter((room) => room !== "contract" && room !== "bytes"),
      [],
      door,
    );
  }
});
