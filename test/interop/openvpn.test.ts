import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Failure, Secret } from "../../src/contract/index.js";
import { nodeHost } from "../../src/hosts/node/index.js";
import { certificatesFromPem } from "../../src/index.js";
import type { TunnelNotice } from "../../src/tunnels/index.js";
import { type OpenVpnTunnel, openOpenVpn } from "../../src/tunnels/openvpn.js";
import { freePort } from "../support/free-port.js";
import { identity, scratch } from "./peers/certificates.js";
import { echo, OpenVpnServer, type OpenVpnServerOptions } from "./peers/openvpn.js";

const host = nodeHost();

/** A tunnel to the server, with what it told. */
async function open(server: OpenVpnServer, more = ""): Promise<{ tunnel: OpenVpnTunnel; told: TunnelNotice[] }> {
  const told: TunnelNotice[] = [];
  return { tunnel: await openOpenVpn(host, server.file(more), { on: (notice) => told.push(notice) }), told };
}

interface Way extends OpenVpnServerOptions {
  readonly title: string;
  readonly client?: (server: OpenVpnServer) => string;
  /** What the server must have said by the end. */
  readonly says: RegExp;
  readonly cipher?: string;
}

const ways: readonly Way[] = [
  { title: "UDP with nothing but TLS", says: /Control Channel: TLSv1\.3/ },
  { title: "TCP", transport: "tcp", says: /TCPv4_SERVER|Control Channel: TLSv1\.3/ },
  { title: "TLS 1.2", more: ["tls-version-max 1.2"], says: /Control Channel: TLSv1\.2/ },
  ...(["SHA1", "SHA256", "SHA512"] as const).map((auth) => ({
    title: `tls-auth with HMAC-${auth}`,
    more: ["tls-auth FOLDER/shared.key 0", `auth ${auth}`],
    client: (server: OpenVpnServer) => `${server.shared("tls-auth")}key-direction 1\nauth ${auth}\n`,
    says: new RegExp(`Outgoing Control Channel Authentication: Using \\d+ bit message hash '${auth}'`),
  })),
  {
    title: "tls-auth without a direction",
    more: ["tls-auth FOLDER/shared.key", "auth SHA256"],
    client: (server) => `${server.shared("tls-auth")}auth SHA256\n`,
    says: /Outgoing Control Channel Authentication/,
  },
  {
    title: "tls-crypt",
    more: ["tls-crypt FOLDER/shared.key"],
    client: (server) => server.shared("tls-crypt"),
    says: /Outgoing Control Channel Encryption: Cipher 'AES-256-CTR'/,
  },
  {
    title: "tls-crypt-v2, with the wrapped key sent twice for the sake of a server that keeps nothing",
    more: ["tls-crypt-v2 FOLDER/v2.key force-cookie"],
    client: (server) => server.shared("tls-crypt-v2"),
    says: /P_CONTROL_WKC_V1|Control Channel: TLSv1\.3/,
  },
  {
    title: "tls-crypt-v2 with a server that allows clients without cookies",
    transport: "tcp",
    more: ["tls-crypt-v2 FOLDER/v2.key allow-noncookie"],
    client: (server) => server.shared("tls-crypt-v2"),
    says: /Control Channel: TLSv1\.3/,
  },
  {
    title: "TLS 1.2 with one suite and two groups, as the file says",
    client: () =>
      "tls-version-max 1.2\ntls-cipher TLS-ECDHE-ECDSA-WITH-CHACHA20-POLY1305-SHA256\ntls-groups secp384r1:prime256v1\n",
    says: /Control Channel: TLSv1\.2, cipher TLSv1\.2 ECDHE-ECDSA-CHACHA20-POLY1305/,
  },
  {
    title: "TLS 1.3 with one suite and two groups, as the file says",
    client: () => "tls-ciphersuites TLS_CHACHA20_POLY1305_SHA256\ntls-groups secp521r1:X448\nreplay-window 128\n",
    says: /Control Channel: TLSv1\.3, cipher TLSv1\.3 TLS_CHACHA20_POLY1305_SHA256/,
  },
  ...["AES-128-GCM", "AES-192-GCM", "CHACHA20-POLY1305"].map((cipher) => ({
    title: cipher,
    more: [`data-ciphers ${cipher}`],
    client: () => `data-ciphers ${cipher}\n`,
    says: new RegExp(`Data Channel: Cipher '${cipher}'|cipher ${cipher}`, "i"),
    cipher,
  })),
  ...["SHA1", "SHA256", "SHA512"].map((auth) => ({
    title: `AES-256-CBC with HMAC-${auth}`,
    more: ["data-ciphers AES-256-CBC", `auth ${auth}`],
    client: () => `data-ciphers AES-256-CBC\nauth ${auth}\n`,
    says: new RegExp(`Outgoing Data Channel: Using \\d+ bit message hash '${auth}'`),
    cipher: "AES-256-CBC",
  })),
  ...["AES-128-CBC", "AES-192-CBC"].map((cipher) => ({
    title: cipher,
    more: [`data-ciphers ${cipher}`, "auth SHA384"],
    client: () => `data-ciphers ${cipher}\nauth SHA384\n`,
    says: new RegExp(`Data Channel: Cipher '${cipher}'`),
    cipher,
  })),
  {
    title: "the framing that comp-lzo no leaves behind",
    more: ["comp-lzo no", 'push "comp-lzo no"'],
    says: /comp-lzo no/,
  },
  { title: "the framing of compress stub", more: ["compress stub", 'push "compress stub"'], says: /compress stub/ },
  {
    title: "the framing of compress stub-v2",
    more: ["compress stub-v2", 'push "compress stub-v2"'],
    says: /compress stub-v2/,
  },
];

for (const { title, client, says, cipher, ...options } of ways) {
  test(`openvpn 2.6 as a server: ${title}`, async () => {
    await using server = await OpenVpnServer.start(options);
    const { tunnel } = await open(server, client?.(server));
    assert.ok((await echo(tunnel, "10.79.0.1")) > 0);
    assert.ok((await echo(tunnel, "fd79::1")) > 0);
    assert.equal(tunnel.inside().cipher, cipher ?? "AES-256-GCM");
    await server.says(says);
    // New keys, and traffic under them.
    tunnel.handshake();
    await server.says(/TLS: soft reset|SENT CONTROL[\s\S]*Control Channel: TLS/);
    assert.ok((await echo(tunnel, "10.79.0.1")) > 0);
    assert.equal(tunnel.status().drops["bad-tag"], 0);
    tunnel.close();
    if (options.transport !== "tcp") await server.says(/exit message received/);
  });
}

test("openvpn derives the same keys by the PRF of old, when a client does not announce the exporter", async () => {
  await using server = await OpenVpnServer.start();
  // DATA_V2 and REQUEST_PUSH alone, as clients before 2.6 say.
  const tunnel = await openOpenVpn(host, server.file(), { announce: 6 });
  assert.equal(tunnel.inside().tlsExport, false);
  assert.equal(tunnel.inside().controlExit, false);
  assert.ok((await echo(tunnel, "10.79.0.1")) > 0);
  tunnel.handshake();
  await server.says(/TLS: soft reset|SENT CONTROL[\s\S]*Control Channel: TLS/);
  assert.ok((await echo(tunnel, "10.79.0.1")) > 0);
  tunnel.close();
});

test("IPv6 outside, with a key that a passphrase unlocks and a login, each in a file of its own", async () => {
  await using server = await OpenVpnServer.start({
    users: { ada: "correct horse" },
    more: ["proto udp6", "local ::1"],
  });
  const files: Record<string, string> = {
    login: "ada\ncorrect horse\n",
    passphrase: "open sesame\n",
    "locked.key": execFileSync(
      "openssl",
      ["pkcs8", "-topk8", "-in", identity("client").key, "-passout", "pass:open sesame"],
      { encoding: "utf8" },
    ),
  };
  const text = server
    .file("auth-user-pass login\naskpass passphrase\n")
    .replace(/<key>[\s\S]*<\/key>/, "key locked.key")
    .replace("remote 127.0.0.1", "remote ::1")
    .replace("proto udp", "proto udp6");
  const read = (name: string): string | undefined => files[name];
  const tunnel = await openOpenVpn(host, text, { read });
  assert.ok((await echo(tunnel, "fd79::1")) > 0);
  assert.equal(tunnel.status().peers[0]!.endpoint!.address, "::1");
  tunnel.close();
  files["passphrase"] = "wrong\n";
  await assert.rejects(openOpenVpn(host, text, { read }), { reason: "bad-configuration", at: "key" });
});

test("a user and a password open the tunnel, by the file or by option; a wrong one is refused with the server's text", async () => {
  await using server = await OpenVpnServer.start({ users: { ada: "correct horse" } });
  const without = server.file().replace(/<cert>[\s\S]*<\/key>\n/, "");
  const inline = await openOpenVpn(host, `${without}<auth-user-pass>\nada\ncorrect horse\n</auth-user-pass>\n`);
  assert.ok((await echo(inline, "10.79.0.1")) > 0);
  inline.close();
  const password = (text: string) => ({ user: "ada", password: new Secret(new TextEncoder().encode(text)) });
  const given = await openOpenVpn(host, `${without}auth-user-pass\n`, { credentials: password("correct horse") });
  assert.ok((await echo(given, "10.79.0.1")) > 0);
  given.close();
  await assert.rejects(openOpenVpn(host, `${without}auth-user-pass\n`, { credentials: password("wrong") }), {
    fault: "refused",
    reason: "auth-failed",
    byPeer: true,
  });
  await assert.rejects(openOpenVpn(host, `${without}auth-user-pass\n`), { reason: "bad-configuration" });
});

test("a server's questions are answered: while it waits (CR_TEXT), and for the next session (CRV1)", async () => {
  const folder = mkdtempSync(join(scratch(), "challenge-"));
  const script = (name: string, text: string): string => {
    writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o700 });
    return join(folder, name);
  };
  const usual = ["script-security 2", "verify-client-cert optional"];
  const asks = script(
    "asks",
    `printf '60\\ncrtext\\nCR_TEXT:R,E:which pet?\\n' > "$auth_pending_file"; echo "$auth_control_file" > ${folder}/control; exit 2`,
  );
  const hears = script(
    "hears",
    `[ "$(cat "$1")" = Y2F0 ] && printf 1 > "$(cat ${folder}/control)" || printf 0 > "$(cat ${folder}/control)"`,
  );
  const told: unknown[] = [];
  const answer = (text: string) => (challenge: unknown) => {
    told.push(challenge);
    return new Secret(new TextEncoder().encode(text));
  };
  const login = "<auth-user-pass>\nada\ncorrect horse\n</auth-user-pass>\n";
  {
    const more = [...usual, `auth-user-pass-verify ${asks} via-file`, `client-crresponse ${hears}`];
    await using server = await OpenVpnServer.start({ more });
    const tunnel = await openOpenVpn(host, server.file(login), { challenge: answer("cat") });
    assert.ok((await echo(tunnel, "10.79.0.1")) > 0);
    assert.deepEqual(told, [{ kind: "answer-challenge", text: "which pet?", isEchoed: true }]);
    tunnel.close();
    await assert.rejects(openOpenVpn(host, server.file(login), { challenge: answer("dog") }), {
      reason: "auth-failed",
    });
    await assert.rejects(openOpenVpn(host, server.file(login)), { reason: "auth-failed", at: "CR_TEXT" });
  }
  const twice = script(
    "twice",
    `{ read -r u; read -r p; } < "$1"
[ "$p" = 'CRV1::mark::cat' ] && exit 0
[ "$p" = 'correct horse' ] && printf 'CRV1:R,E:mark:YWRh:which pet?' > "$auth_failed_reason_file"
exit 1`,
  );
  await using server = await OpenVpnServer.start({ more: [...usual, `auth-user-pass-verify ${twice} via-file`] });
  const tunnel = await openOpenVpn(host, server.file(login), { challenge: answer("cat") });
  assert.ok((await echo(tunnel, "10.79.0.1")) > 0);
  assert.equal(told.length, 3);
  tunnel.close();
});

test("the server must be who the file says: authority, name, fingerprint, version", async () => {
  await using server = await OpenVpnServer.start();
  const refused = (text: string) =>
    assert.rejects(openOpenVpn(host, text), { reason: "tls-failed", fault: "authentication" });
  const stranger = `<ca>\n${readFileSync(identity("stranger").certificate, "utf8")}</ca>\n`;
  await refused(server.file().replace(/<ca>[\s\S]*<\/ca>\n/, stranger));
  await refused(server.file("verify-x509-name somebody.else name"));
  await refused(server.file(`peer-fingerprint ${"00:".repeat(31)}00`));
  const [der] = certificatesFromPem(readFileSync(identity("p256").certificate, "utf8"));
  const fingerprint = createHash("sha256")
    .update(der!)
    .digest("hex")
    .replace(/..(?!$)/g, "$&:");
  for (const more of [
    "verify-x509-name p256.sealport.test name",
    "verify-x509-name p256 name-prefix",
    `peer-fingerprint ${fingerprint}`,
  ]) {
    const { tunnel } = await open(server, more);
    assert.ok((await echo(tunnel, "10.79.0.1")) > 0);
    tunnel.close();
  }
  await using old = await OpenVpnServer.start({ more: ["tls-version-max 1.2"] });
  // openvpn keeps its alert to itself.
  await assert.rejects(openOpenVpn(host, old.file("tls-version-min 1.3\nhand-window 2")), { fault: "unreachable" });
});

test("a cipher that the file does not allow is refused, and one that the server lacks too", async () => {
  await using server = await OpenVpnServer.start({ more: ["data-ciphers AES-256-CBC", "auth SHA256"] });
  await assert.rejects(openOpenVpn(host, server.file("auth SHA256")), (failure: Failure) => {
    return failure.reason === "auth-failed" || failure.reason === "no-common-cipher";
  });
});

test("a server that is not there is passed over for the next, and none at all is said", async () => {
  await using server = await OpenVpnServer.start();
  const dead = await freePort();
  // Nobody listens there, and TCP says so at once.
  const text = server.file().replace("remote ", `remote 127.0.0.1 ${dead} tcp\nremote `);
  const told: TunnelNotice[] = [];
  const tunnel = await openOpenVpn(host, text, { on: (notice) => told.push(notice) });
  assert.ok((await echo(tunnel, "10.79.0.1")) > 0);
  const [first] = told;
  assert.ok(first?.kind === "retrying" && first.failure?.reason === "no-remote");
  tunnel.close();
  await assert.rejects(openOpenVpn(host, server.file("hand-window 1", { port: dead })), {
    reason: "handshake-timeout",
  });
  await assert.rejects(openOpenVpn(host, server.file("", { port: dead, transport: "tcp" })), { reason: "no-remote" });
});

for (const transport of ["udp", "tcp"] as const) {
  test(`a server that restarts is found again over ${transport}, and the network inside lives on`, async () => {
    const more = ["persist-tun", "persist-key", ...(transport === "udp" ? ["explicit-exit-notify 1"] : [])];
    await using server = await OpenVpnServer.start({ transport, more });
    const { tunnel, told } = await open(server, "connect-retry 1 1");
    assert.ok((await echo(tunnel, "10.79.0.1")) > 0);
    const before = server.said.length;
    server.signal("SIGUSR1");
    await server.says(/Initialization Sequence Completed/, before);
    await until(() => told.filter(({ kind }) => kind === "session").length === 2);
    assert.ok((await echo(tunnel, "10.79.0.1")) > 0);
    assert.ok(told.some((notice) => notice.kind === "retrying"));
    tunnel.close();
  });
}

async function until(holds: () => boolean): Promise<void> {
  const end = Date.now() + 60_000;
  while (!holds()) {
    assert.ok(Date.now() < end, "it never came");
    await new Promise((again) => setTimeout(again, 20));
  }
}
