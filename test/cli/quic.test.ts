import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { authority, identity, Program, scratch } from "../interop/peers/index.js";
import { contentOf, quicServers, site } from "../interop/peers/quic.js";
import { freePort } from "../support/free-port.js";
import { program, sealport } from "./sealport.js";

const folder = scratch();
const at = (name: string): string => join(folder, name);
const { certificate, key } = identity("p256");
writeFileSync(at("both.pem"), readFileSync(certificate, "utf8") + readFileSync(key, "utf8"), { mode: 0o600 });
const www = site("<p>the page</p>\n", { large: 1_000_000 });

const server = new Program("sealport listen", process.execPath, [
  program,
  ...["listen", "quic://127.0.0.1:0", "--www", www, "--identity", at("both.pem"), "--json", "--qlog", at("s.sqlog")],
]);
after(() => server[Symbol.asyncDispose]());
const [, port] = await server.says(/"listening","address":"127\.0\.0\.1:(\d+)"/);
const url = (path: string) => `quic://localhost:${port}${path}`;
const trust = ["--trust", authority()];
const local = (path: string) => ["connect", `quic://127.0.0.1:${port}${path}`, ...trust];
type Event = Readonly<Record<string, unknown>> & { readonly event: string };
const eventsOf = (out: string): readonly Event[] =>
  out.split("\n").flatMap((line) => (line.startsWith("{") ? [JSON.parse(line) as Event] : []));

test("a page by each protocol goes to stdout, what it took to stderr", async () => {
  for (const [alpn, said] of [
    [["--alpn", "h3"], /QUIC 1, TLS_[A-Z0-9_]+, X25519MLKEM768, alpn h3, full/],
    [["--alpn", "hq-interop"], /alpn hq-interop/],
    [["--alpn", "h3", "--versions", "2"], /QUIC 2, .*alpn h3/],
    [[], /alpn h3/],
  ] as const) {
    const { code, out, err } = await sealport([...local("/index.html"), ...alpn]);
    assert.equal(code, 0, err);
    assert.equal(out, "<p>the page</p>\n");
    assert.match(err, said);
  }
  await server.says(/"request","remote":"127\.0\.0\.1:\d+","method":"GET","path":"\/index\.html"/);
});

test("a name is looked up; what it is has to be in the certificate", async () => {
  const { code, out, err } = await sealport(["connect", url("/"), ...trust]);
  assert.equal(code, 0, err);
  assert.equal(out, "<p>the page</p>\n");
  const stranger = await sealport(["connect", url("/"), "--timeout", "5000"]);
  assert.equal(stranger.code, 7, stranger.err);
  assert.match(stranger.err, /authentication/);
  const anyone = await sealport(["connect", url("/"), "--trust-anyone"]);
  assert.equal(anyone.code, 0, anyone.err);
});

test("JSON: connected, response, data, closed; a file is whole", async () => {
  const { code, out } = await sealport([...local("/large"), "--alpn", "h3", "--json"]);
  assert.equal(code, 0);
  const events = eventsOf(out);
  assert.deepEqual(
    events.map(({ event }) => event).filter((event, i, all) => event !== all[i - 1]),
    ["connected", "response", "data", "closed"],
  );
  const [connected, response] = events;
  assert.deepEqual([connected!["stack"], connected!["protocol"], connected!["version"]], ["QUIC/UDP", "QUIC", "1"]);
  assert.equal(response!["status"], 200);
  const data = events
    .filter(({ event }) => event === "data")
    .map((each) => Buffer.from(String(each["base64"]), "base64"));
  assert.deepEqual(new Uint8Array(Buffer.concat(data)), contentOf("large", 1_000_000));
  const none = await sealport([...local("/none"), "--json"]);
  assert.equal(eventsOf(none.out)[1]!["status"], 404);
});

test("a session kept in a file is resumed; a qlog and a key log are written", async () => {
  const more = ["--alpn", "h3", "--session", at("sessions"), "--json"];
  await sealport([...local("/"), ...more]);
  const { code, out } = await sealport([...local("/"), ...more, "--qlog", at("c.sqlog"), "--key-log", at("keys")]);
  assert.equal(code, 0, out);
  assert.equal(eventsOf(out)[0]!["mode"], "resumed");
  assert.match(readFileSync(at("c.sqlog"), "utf8"), /"vantage_point":\{"type":"client"\}[\s\S]*quic:packet_sent/);
  assert.match(readFileSync(at("keys"), "utf8"), /^CLIENT_TRAFFIC_SECRET_0 /m);
});

test("a post comes back from a server that gives it back", async () => {
  await using peer = await quicServers["aioquic 1.2"]({ alpn: "h3", www });
  writeFileSync(at("post"), "posted");
  const to = ["connect", `quic://127.0.0.1:${peer.port}/`, ...trust, "--alpn", "h3", "--post", `@${at("post")}`];
  const { code, out, err } = await sealport(to);
  assert.equal(code, 0, err);
  assert.equal(out, "posted");
});

test("without a path it is a stream: stdin goes there, and what comes back to stdout, each to its end", async () => {
  await using echo = new Program("sealport listen", process.execPath, [
    program,
    ...["listen", "quic://127.0.0.1:0", "--echo", "--alpn", "echo", "--identity", at("both.pem"), "--json"],
  ]);
  const [, its] = await echo.says(/"listening","address":"127\.0\.0\.1:(\d+)"/);
  const to = ["connect", `quic://127.0.0.1:${its}`, ...trust, "--alpn", "echo"];
  const { code, out, err } = await sealport(to, { input: "there and back" });
  assert.equal(code, 0, err);
  assert.equal(out, "there and back");
});

test("what does not fit is said, each with its exit code", async () => {
  for (const [args, code, said] of [
    [[...local("/"), "--alpn", "h2"], 2, /h2 carries no HTTP/],
    [[...local("/"), "--versions", "3"], 2, /no version 3/],
    [[...local("/"), "--suites", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"], 2, /TLS 1\.3 alone/],
    [["connect", "quic://me@localhost:1/"], 2, /user name/],
    [["connect", "tls://localhost:1", "--post", "-"], 2, /path/],
    [["listen", "tls://127.0.0.1:0", "--www", "."], 2, /--www is for quic/],
    [["listen", "quic://127.0.0.1:0", "--www", "."], 2, /--identity/],
    [["connect", `quic://127.0.0.1:${await freePort()}/`, ...trust, "--timeout", "10000"], 5, /nobody listens/],
  ] as const) {
    const ran = await sealport(args);
    assert.equal(ran.code, code, `${args.join(" ")}: ${ran.err}`);
    assert.match(ran.err, said);
  }
});
