import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parsePrefix, utf8 } from "../../src/bytes/index.js";
import type { StreamSink } from "../../src/contract/index.js";
import { nodeHost } from "../../src/hosts/node/index.js";
import { certificatesFromPem, identityFromPem } from "../../src/index.js";
import { createVerifier } from "../../src/pki/index.js";
import {
  type KeyMetadata,
  readServerKey,
  readStaticKey,
  type ServerControlKey,
} from "../../src/protocols/openvpn/index.js";
import { pkiFailure, type TlsServerOptions } from "../../src/protocols/tls/index.js";
import { listenOpenVpn, type OpenVpnServerOptions } from "../../src/tunnels/openvpn-server.js";
import { authority, identity, scratch } from "./peers/certificates.js";
import { echo, OpenVpnClientPeer, openvpn } from "./peers/openvpn.js";

const host = nodeHost();
const inside = [parsePrefix("10.79.0.1/24")!, parsePrefix("fd79::1/64")!];

/** A server's TLS: its certificate, and whoever our authority vouches for. */
function tls(): TlsServerOptions {
  const { certificate, key } = identity("p256");
  const anchors = certificatesFromPem(readFileSync(authority(), "utf8"));
  const verifier = createVerifier({ provider: host.crypto, profile: "path", anchors });
  return {
    identity: identityFromPem({ chain: readFileSync(certificate, "utf8"), key: readFileSync(key, "utf8") }),
    verify: (ask) => {
      const verdict = verifier.verify({ chain: ask.certificates, referenceIds: [], purpose: "client", at: ask.at });
      if (!verdict.trusted) return { trusted: false, failure: pkiFailure(verdict.failure) };
      const { publicKey, chain } = verdict;
      return { trusted: true, publicKey, peer: { kind: "certificate", chain: chain.map(({ raw }) => raw), publicKey } };
    },
  };
}

async function serve(options: Partial<OpenVpnServerOptions> = {}) {
  const told: string[] = [];
  const local = { address: "127.0.0.1", port: 0 };
  const on: OpenVpnServerOptions["on"] = (event) => void told.push(event.kind);
  const server = await listenOpenVpn(host, { tls: tls(), local, inside, on, ...options });
  return { server, told, [Symbol.dispose]: () => server.close() };
}

/** A static key and a tls-crypt-v2 pair, made by openvpn(8). */
function keys() {
  const folder = mkdtempSync(join(scratch(), "keys-"));
  const [shared, v2, client] = [join(folder, "shared.key"), join(folder, "v2.key"), join(folder, "client.key")];
  openvpn("--genkey", "secret", shared);
  openvpn("--genkey", "tls-crypt-v2-server", v2);
  openvpn("--tls-crypt-v2", v2, "--genkey", "tls-crypt-v2-client", client);
  return {
    shared,
    client,
    key: readStaticKey(readFileSync(shared, "utf8"))!,
    serverKey: readServerKey(readFileSync(v2, "utf8"))!,
  };
}

interface Way {
  readonly title: string;
  readonly options?: Partial<OpenVpnServerOptions>;
  readonly lines?: readonly string[];
  readonly transport?: "udp" | "tcp";
  readonly cipher?: string;
}

const made = keys();
const metadata: KeyMetadata[] = [];
const control = (key: ServerControlKey): Partial<OpenVpnServerOptions> => ({ control: key });
const ways: readonly Way[] = [
  { title: "UDP with nothing but TLS" },
  { title: "TCP", transport: "tcp" },
  { title: "TLS 1.2", lines: ["tls-version-max 1.2"] },
  {
    title: "tls-auth",
    options: control({ kind: "tls-auth", key: made.key, direction: 0, hash: "SHA-256" }),
    lines: [`tls-auth ${made.shared} 1`, "auth SHA256"],
  },
  { title: "tls-crypt", options: control({ kind: "tls-crypt", key: made.key }), lines: [`tls-crypt ${made.shared}`] },
  {
    title: "tls-crypt-v2, with a word about the key before TLS",
    options: control({
      kind: "tls-crypt-v2",
      serverKey: made.serverKey,
      acceptKey: (told) => metadata.push(told) > 0,
    }),
    lines: [`tls-crypt-v2 ${made.client}`],
  },
  { title: "CHACHA20-POLY1305", options: { dataCiphers: ["CHACHA20-POLY1305"] }, cipher: "CHACHA20-POLY1305" },
  {
    title: "AES-256-CBC",
    options: { dataCiphers: ["AES-256-CBC"], auth: "SHA-256" },
    lines: ["data-ciphers AES-256-CBC", "auth SHA256"],
    cipher: "AES-256-CBC",
  },
  {
    title: "a client of 2.5's time: the PRF of old, no exporter",
    lines: ["compat-mode 2.5.0"],
  },
];

for (const { title, options, lines, transport = "udp", cipher = "AES-256-GCM" } of ways) {
  test(`openvpn 2.6 as a client: ${title}`, async () => {
    using ours = await serve({ ...options, transport });
    const { server, told } = ours;
    await using client = await OpenVpnClientPeer.start(server.local.port, lines, transport);
    for (const address of ["10.79.0.1", "fd79::1"]) {
      await using ping = client.inside("ping", "ping", "-c", "2", "-i", "0.1", "-W", "5", address);
      assert.equal(await ping.ends(), "exited with 0", ping.said);
    }
    assert.ok((await echo(server, "10.79.0.2")) > 0);
    const [guest] = server.clients();
    assert.equal(guest!.cipher, cipher);
    assert.equal(guest!.peer?.kind, "certificate");
    // New keys from our side, and then traffic.
    server.handle({ kind: "renegotiate" });
    await client.says(/Control Channel: TLS[\s\S]*Control Channel: TLS/);
    assert.ok((await echo(server, "fd79::2")) > 0);
    assert.equal(server.drops()["bad-tag"], 0);
    client.signal("SIGTERM");
    await client.ends();
    assert.ok(told.includes("joined") && told.includes("renewed"));
  });
}

test("the wrapped key's metadata says when it was made", () => {
  assert.ok(metadata.length > 0);
  assert.equal(metadata[0]!.kind, "timestamp");
  assert.ok(Math.abs(metadata[0]!.at! - Date.now()) < 600_000);
});

test("users are let in by name and password, each with an address, and a wrong one is told no", async () => {
  const file = (text: string): string => {
    const path = join(mkdtempSync(join(scratch(), "login-")), "login");
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  using ours = await serve({
    tls: { ...tls(), clientAuthentication: "none" },
    accept: ({ user, password }, offered) =>
      user === "ada" && password?.equals(utf8("correct horse")) === true ? offered : undefined,
  });
  const port = ours.server.local.port;
  await using first = await OpenVpnClientPeer.start(port, [
    "auth-user-pass",
    `auth-user-pass ${file("ada\ncorrect horse\n")}`,
    "explicit-exit-notify 1",
  ]);
  await using second = await OpenVpnClientPeer.start(port, [
    "auth-user-pass",
    `auth-user-pass ${file("ada\ncorrect horse\n")}`,
    "explicit-exit-notify 1",
  ]);
  assert.deepEqual(
    ours.server.clients().map(({ user, addresses }) => [user, addresses[0]!.address[3]]),
    [
      ["ada", 2],
      ["ada", 3],
    ],
  );
  assert.ok((await echo(ours.server, "10.79.0.2")) > 0);
  assert.ok((await echo(ours.server, "10.79.0.3")) > 0);
  await using wrong = new OpenVpnClientPeer(port, ["auth-user-pass", `auth-user-pass ${file("ada\nwrong\n")}`]);
  await wrong.says(/AUTH: Received control message: AUTH_FAILED/);
  first.signal("SIGTERM");
  second.signal("SIGTERM");
  await Promise.all([first.ends(), second.ends()]);
  await until(() => ours.server.clients().length === 0);
});

for (const clientToClient of [true, false]) {
  test(`two clients of openvpn 2.6 ${clientToClient ? "reach each other through" : "are kept apart by"} the server`, async () => {
    using ours = await serve({ clientToClient });
    const { server } = ours;
    await using first = await OpenVpnClientPeer.start(server.local.port);
    await using second = await OpenVpnClientPeer.start(server.local.port);
    for (const address of ["10.79.0.3", "fd79::3"]) {
      await using ping = first.inside("ping", "ping", "-c", "3", "-i", "0.1", "-W", "1", address);
      assert.equal(await ping.ends(), clientToClient ? "exited with 0" : "exited with 1", ping.said);
    }
    // The server itself is there for both.
    await using ping = second.inside("ping", "ping", "-c", "1", "-W", "30", "10.79.0.1");
    assert.equal(await ping.ends(), "exited with 0", ping.said);
  });
}

test("100 MB go from the client's kernel to our stack, intact, while it renews keys by bytes", async () => {
  using ours = await serve();
  await using client = await OpenVpnClientPeer.start(ours.server.local.port, ["reneg-bytes 30000000"]);
  const size = 100_000_000;
  const hash = createHash("sha256");
  let received = 0;
  const done = new Promise<void>((resolve) => {
    const sink: StreamSink = {
      bytes: (bytes) => {
        received += bytes.length;
        hash.update(bytes);
        if (received === size) resolve();
      },
      ended: () => {},
      drained: () => {},
      closed: () => resolve(),
    };
    void ours.server.network.listenStreams({ address: "10.79.0.1", port: 7001 }, () => sink);
  });
  const keystream = `openssl enc -aes-128-ctr -K ${"0".repeat(32)} -iv ${"0".repeat(32)}`;
  await using source = client.inside(
    "source",
    "bash",
    "-c",
    `head -c ${size} /dev/zero | ${keystream} | tee >(sha256sum >&2) | socat -u -b 262144 STDIN TCP:10.79.0.1:7001`,
  );
  await done;
  assert.equal(received, size);
  assert.equal((await source.says(/([0-9a-f]{64})/))[1], hash.digest("hex"));
  await until(() => ours.told.includes("renewed"));
});

async function until(holds: () => boolean): Promise<void> {
  const end = Date.now() + 60_000;
  while (!holds()) {
    assert.ok(Date.now() < end, "it never came");
    await new Promise((again) => setTimeout(again, 20));
  }
}
