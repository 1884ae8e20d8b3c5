import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { authority, identity, scratch } from "../interop/peers/certificates.js";
import { peer } from "../interop/peers/find.js";
import { openssl } from "../interop/peers/openssl.js";
import { program, type Ran, sealport } from "./sealport.js";

const folder = scratch();
const at = (name: string): string => join(folder, name);
const pem = (name: "p256" | "client" | "stranger"): string => {
  const { certificate, key } = identity(name);
  writeFileSync(at(`${name}.pem`), readFileSync(certificate, "utf8") + readFileSync(key, "utf8"), { mode: 0o600 });
  return at(`${name}.pem`);
};
const stranger = openssl("OpenSSL 3.0");

/** A `sealport listen --json` that has said where it listens. */
class Listening implements AsyncDisposable {
  readonly port: number;
  readonly ended: Promise<Ran>;
  readonly #child: ChildProcessWithoutNullStreams;

  static async start(...args: readonly string[]): Promise<Listening> {
    const child = spawn(process.execPath, [program, "listen", "tls://127.0.0.1:0", "--json", ...args]);
    let out = "";
    let err = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
    const ended = new Promise<Ran>((resolve) => child.on("close", (code) => resolve({ code, out, err })));
    const port = await new Promise<number>((resolve, reject) => {
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        out += text;
        const [, digits] = /"listening","address":"127\.0\.0\.1:(\d+)"/.exec(out) ?? [];
        if (digits !== undefined) resolve(Number(digits));
      });
      ended.then((ran) => reject(new Error(`ended with ${ran.code}: ${ran.out}${ran.err}`)));
    });
    return new Listening(child, port, ended);
  }

  private constructor(child: ChildProcessWithoutNullStreams, port: number, ended: Promise<Ran>) {
    this.#child = child;
    this.port = port;
    this.ended = ended;
  }

  /** Interrupts it, and answers all that it said. */
  async stop(): Promise<Ran> {
    this.#child.kill("SIGINT");
    return this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended;
  }
}

const events = (out: string): readonly Record<string, unknown>[] =>
  out
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));

test("what goes in at one end comes out at the other and back, and both end with 0", async () => {
  await using server = await Listening.start("--identity", pem("p256"), "--echo", "--once");
  const input = randomBytes(300_000).toString("base64");
  const client = await sealport(["connect", `tls://localhost:${server.port}`, "--trust", authority()], { input });
  assert.equal(client.code, 0, client.err);
  assert.equal(client.out, input);
  const { code, out } = await server.ended;
  assert.equal(code, 0);
  assert.deepEqual(
    events(out).map(({ event }) => event),
    ["listening", "accepted", "closed"],
  );
});

test("connect speaks to OpenSSL, and --json says what came of the handshake", async () => {
  await using server = await stranger.serve({ mode: "echo", alpn: ["sealport"] });
  const options = ["--trust", authority(), "--groups", "secp384r1", "--suites", "TLS_CHACHA20_POLY1305_SHA256"];
  const child = spawn(process.execPath, [
    program,
    "connect",
    `tls://localhost:${server.port}?alpn=sealport`,
    ...options,
    "--json",
  ]);
  let out = "";
  child.stdin.write("to OpenSSL");
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
    if (out.includes('"data"')) child.stdin.end();
  });
  const code = await new Promise((ended) => child.on("close", ended));
  assert.equal(code, 0, out);
  const [connected, data, closed] = events(out);
  assert.equal(connected!["event"], "connected");
  assert.equal(connected!["group"], "secp384r1");
  assert.equal(connected!["suite"], "TLS_CHACHA20_POLY1305_SHA256");
  assert.equal(connected!["alpn"], "sealport");
  assert.equal(Buffer.from(String(data!["base64"]), "base64").toString(), "to OpenSSL");
  assert.deepEqual([closed!["event"], closed!["bytesSent"], closed!["bytesReceived"]], ["closed", 10, 10]);
});

test("listen serves OpenSSL, runs a command for it, and asks for its certificate", async () => {
  const options = ["--identity", pem("p256"), "--trust", authority(), "--ask-client", "require"];
  await using server = await Listening.start(...options, "--exec", "cat");
  await using client = stranger.connect(server.port, { identity: "client" });
  await client.say("there and back");
  await client.hears("there and back");
  const { out } = await server.stop();
  const accepted = events(out).find(({ event }) => event === "accepted");
  assert.match(JSON.stringify(accepted?.["peer"]), /client\.sealport\.test/);
});

test("a command's output reaches the peer", async () => {
  await using server = await Listening.start("--identity", pem("p256"), "--exec", "tr a-z A-Z", "--once");
  const client = await sealport(["connect", `tls://localhost:${server.port}`, "--trust", authority()], {
    input: "loud",
  });
  assert.deepEqual([client.code, client.out], [0, "LOUD"]);
});

test("a session file is its owner's alone, and the next connection resumes from it", async () => {
  await using server = await Listening.start("--identity", pem("p256"), "--echo");
  const session = at("sessions.json");
  const args = ["connect", `tls://localhost:${server.port}`, "--trust", authority(), "--session", session, "--json"];
  const first = await sealport(args, { input: "one" });
  assert.equal(events(first.out)[0]!["mode"], "full", first.out);
  assert.equal(statSync(session).mode & 0o777, 0o600);
  const second = await sealport(args, { input: "two" });
  assert.equal(events(second.out)[0]!["mode"], "resumed", second.out);
});

test("a pre-shared key comes from a file, the environment or stdin, never from the command line", async () => {
  writeFileSync(at("psk"), "00112233445566778899aabbccddeeff\n", { mode: 0o600 });
  await using server = await Listening.start("--psk", `@${at("psk")}`, "--psk-identity", "me", "--echo");
  const url = `tls://localhost:${server.port}`;
  const env = { SECRET: "base64:ABEiM0RVZneImaq7zN3u/w==" };
  const good = await sealport(["connect", url, "--psk", "env:SECRET", "--psk-identity", "me"], { env, input: "x" });
  assert.deepEqual([good.code, good.out], [0, "x"], good.err);
  const bare = await sealport(["connect", url, "--psk", "00112233445566778899aabbccddeeff"]);
  assert.equal(bare.code, 2);
  assert.ok(!bare.err.includes("00112233"), "the secret is not repeated");
  const missing = await sealport(["connect", url, "--psk", "env:NO_SUCH_NAME"]);
  assert.equal(missing.code, 3);
});

test("each kind of failure has its documented exit code", async () => {
  await using server = await Listening.start("--identity", pem("p256"), "--echo", "--groups", "x25519");
  const url = `tls://localhost:${server.port}`;
  const trusting = ["--trust", authority()];
  const closed = createServer().listen(0, "127.0.0.1");
  await new Promise((listening) => closed.once("listening", listening));
  const address = closed.address();
  assert.ok(typeof address === "object" && address !== null);
  await new Promise((done) => closed.close(done));
  const cases: readonly (readonly [string, readonly string[], number])[] = [
    ["no URL", ["connect"], 2],
    ["unknown suite", ["connect", url, "--suites", "TLS_RSA_WITH_NULL"], 2],
    ["no such file", ["connect", url, "--trust", at("absent.crt")], 3],
    ["no such name", ["connect", "tls://name.invalid:443", ...trusting], 4],
    ["nobody there", ["connect", `tls://127.0.0.1:${address.port}`, ...trusting], 5],
    ["no common group", ["connect", url, ...trusting, "--groups", "secp256r1"], 6],
    ["unknown authority", ["connect", url], 7],
    ["wrong pin", ["connect", url, ...trusting, "--pin", identity("client").certificate], 7],
    ["port taken", ["listen", `tls://127.0.0.1:${server.port}`, "--identity", pem("p256")], 10],
  ];
  for (const [what, args, code] of cases) {
    const ran = await sealport(args);
    assert.equal(ran.code, code, `${what}: ${ran.err}`);
    assert.ok(ran.err.startsWith("sealport: "), `${what}: ${ran.err}`);
    assert.equal(ran.out, "", what);
  }
});

test("a server that does not end in time, or that is interrupted, is told apart", async () => {
  const silent = createServer((socket) => socket.on("error", () => {})).listen(0, "127.0.0.1");
  await new Promise((listening) => silent.once("listening", listening));
  const address = silent.address();
  assert.ok(typeof address === "object" && address !== null);
  const late = await sealport(["connect", `tls://127.0.0.1:${address.port}`, "--timeout", "300"]);
  assert.equal(late.code, 5, late.err);
  silent.close();
  await using server = await Listening.start("--identity", pem("p256"), "--echo");
  assert.equal((await server.stop()).code, 130);
});

test("a key log has the secrets of the session, for its owner alone", async () => {
  await using server = await Listening.start("--identity", pem("p256"), "--echo");
  const args = ["--trust", authority(), "--key-log", at("keys.log")];
  await sealport(["connect", `tls://localhost:${server.port}`, ...args], { input: "x" });
  assert.match(readFileSync(at("keys.log"), "utf8"), /^CLIENT_TRAFFIC_SECRET_0 [0-9a-f]{64} [0-9a-f]{64}$/m);
  assert.equal(statSync(at("keys.log")).mode & 0o077, 0);
});

test("a capture opens in Wireshark with what was said in the clear, since its secrets are in it", async () => {
  await using server = await Listening.start("--identity", pem("p256"), "--echo");
  const capture = at("session.pcapng");
  const args = ["--trust", authority(), "--pcapng", capture];
  await sealport(["connect", `tls://localhost:${server.port}`, ...args], { input: "captured words" });
  assert.equal(statSync(capture).mode & 0o077, 0);
  const { command, prefix } = peer("tshark");
  const decode = ["-d", `tcp.port==${server.port},tls`, "-q", "-z", "follow,tls,ascii,0"];
  const said = execFileSync(command, [...prefix, "-r", capture, ...decode], { encoding: "utf8" });
  assert.equal(said.match(/captured words/g)?.length, 2, said);
});

test("any:// finds a stranger's TLS where no QUIC is, and --versions names those of QUIC for quic:// alone", async () => {
  await using server = await stranger.serve({ version: "1.3" });
  const running = sealport(["connect", `any://127.0.0.1:${server.port}`, "--trust", authority(), "--json"], {
    input: "hello from any\n",
  });
  await server.hears("hello from any");
  await server.say("and back");
  await server[Symbol.asyncDispose]();
  const { out } = await running;
  assert.match(out, /"event":"connected","stack":"TLS\/TCP"/);
  for (const [url, version, told] of [
    ["any://127.0.0.1:1", "1.3", /URLs of one protocol/],
    ["quic://127.0.0.1:1", "1.3", /one of 1, 2|mean 1/],
    ["tls://127.0.0.1:1", "2", /one of 1\.3, 1\.2|mean 1/],
  ] as const) {
    const { code, err } = await sealport(["connect", url, "--versions", version]);
    assert.equal(code, 2, err);
    assert.match(err, told);
  }
});
