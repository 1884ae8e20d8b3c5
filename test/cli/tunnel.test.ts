import assert from "node:assert/strict";
import { statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { tunnel } from "../../src/index.js";
import { scratch } from "../interop/peers/certificates.js";
import { type Office, startOffice } from "../interop/peers/office.js";
import { Program } from "../interop/peers/program.js";
import { vouchedForAt } from "../support/taps.js";
import { program, sealport } from "./sealport.js";

const file = join(scratch(), "office.conf");
let office: Office;
before(async () => {
  office = await startOffice("office");
  writeFileSync(file, office.conf, { mode: 0o600 });
});
after(() => office[Symbol.asyncDispose]());

const intranet = "http://intranet.office.test:8080/";
const said = "office saw intranet.office.test:8080 from 10.99.0.2";

const running = (...args: readonly string[]): Program =>
  new Program("sealport tunnel", process.execPath, [program, "tunnel", file, ...args]);
const portOf = async (tunnel: Program, what: RegExp): Promise<string> =>
  (await tunnel.says(new RegExp(`${what.source} on (?:http://)?\\S*?:(\\d+)`)))[1]!;

async function curl(...args: readonly string[]): Promise<string> {
  const run = new Program("curl", "curl", ["-sS", "--max-time", "15", ...args]);
  await run.ends();
  return run.said;
}

test("curl goes through the tunnel by SOCKS5, CONNECT and plain HTTP on one port", async () => {
  await using tunnel = running("--socks", "127.0.0.1:0", "--metrics", "127.0.0.1:0");
  const proxy = `127.0.0.1:${await portOf(tunnel, /proxy/)}`;
  assert.equal(await curl("-x", `socks5h://${proxy}`, intranet), said);
  assert.equal(await curl("-x", `http://${proxy}`, intranet), said);
  assert.equal(await curl("-p", "-x", `http://${proxy}`, intranet), said);
  assert.match(await curl("-x", `socks5h://${proxy}`, "http://10.99.0.1:1/"), /refused|Can't complete SOCKS5/);
  const metrics = `http://127.0.0.1:${await portOf(tunnel, /metrics/)}`;
  const shown = await curl(`${metrics}/metrics`);
  assert.match(shown, /^sealport_tunnel_up\{tunnel="wg:office"\} 1$/m);
  assert.match(shown, /^sealport_tunnel_handshakes_total\{.*\} 1$/m);
  assert.match(shown, /# EOF\n$/);
  assert.match(await curl(`${metrics}/readyz`), /"isUp":true,"handshakeAgeMs":\d+/);
  tunnel.kill("SIGINT");
  assert.equal(await tunnel.ends(), "exited with 130");
});

test("--pcapng keeps what passes outside and inside on two interfaces, and tshark decrypts the one into the other", async () => {
  const capture = join(scratch(), "tunnel.pcapng");
  await using tunnel = running("--socks", "127.0.0.1:0", "--pcapng", capture);
  const proxy = `127.0.0.1:${await portOf(tunnel, /proxy/)}`;
  assert.equal(await curl("-x", `socks5h://${proxy}`, intranet), said);
  tunnel.kill("SIGINT");
  assert.equal(await tunnel.ends(), "exited with 130");
  assert.equal(statSync(capture).mode & 0o777, 0o600);
  const tshark = async (...args: readonly string[]): Promise<string[]> => {
    const run = new Program("tshark", "tshark", ["-r", capture, ...args]);
    await run.ends();
    return run.said.split("\n").filter((line) => !/^(Running as user|$)/.test(line));
  };
  const names = await tshark("-T", "fields", "-e", "frame.interface_name");
  assert.equal(new Set(names).size, 2);
  assert.ok(names.includes("wg:office"));
  // The request stands on the inner interface as it is, and in the outer packets behind WireGuard's secrets.
  const payloads = (where: string) =>
    tshark("-Y", `${where} and tcp.dstport == 8080 and tcp.len > 0`, "-T", "fields", "-e", "tcp.payload");
  const [request] = await payloads("frame.interface_id == 1");
  assert.match(Buffer.from(request!, "hex").toString(), /^GET \/ HTTP\/1\.1\r\nHost: intranet\.office\.test:8080/i);
  assert.deepEqual(await payloads("frame.interface_id == 0 and wg"), [request]);
});

test("ports are forwarded both ways, TCP and UDP", async () => {
  const here = createServer((_, response) => response.end("served here"));
  await new Promise<void>((resolve) => here.listen(0, "127.0.0.1", resolve));
  const { port } = here.address() as AddressInfo;
  await using tunnel = running(
    ...["-L", "0:intranet.office.test:8080", "-L", "0:10.99.0.1:7/udp", "-R", `8089:127.0.0.1:${port}`],
  );
  const forwarded = await portOf(tunnel, /8080/);
  assert.equal(await curl("-H", "Host: intranet.office.test:8080", `http://127.0.0.1:${forwarded}/`), said);
  const udp = await portOf(tunnel, /udp/);
  await using echo = new Program("socat", "socat", ["-t2", "-", `UDP:127.0.0.1:${udp}`]);
  echo.write("a datagram\n");
  await echo.says("a datagram");
  await tunnel.says(/port 8089 inside/);
  const inside = office.peer.inside("curl", "curl", "-sS", "--max-time", "10", "http://10.99.0.2:8089/");
  await inside.ends();
  assert.equal(inside.said, "served here");
  await new Promise((resolve) => here.close(resolve));
});

test("-W connects stdin and stdout to a host inside", async () => {
  const { code, out, err } = await sealport(["tunnel", file, "-W", "intranet:8080"], {
    input: "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
  });
  assert.equal(code, 0, err);
  assert.match(out, /office saw a from 10\.99\.0\.2$/);
  assert.match(err, /office\.conf:5: Table counts for a device/);
});

test("exec sends a command's traffic through the tunnel: curl by its environment, Node by itself", async () => {
  const byCurl = await sealport(["exec", file, "--", "curl", "-sS", "--max-time", "15", intranet]);
  assert.equal(byCurl.out, said, byCurl.err);
  assert.equal(byCurl.code, 0);
  const code = `
    import { connect } from "node:net";
    import { get } from "node:http";
    console.log(await (await fetch("${intranet}")).text());
    await new Promise((done) => get("${intranet}", (r) => r.on("data", (d) => console.log("http: " + d)).on("end", done)));
    const socket = connect(8080, "intranet.office.test", () => console.log("connected"));
    socket.end("GET / HTTP/1.0\\r\\n\\r\\n");
    for await (const chunk of socket) console.log(String(chunk).split("\\r\\n").at(-1));
    connect(1, "10.99.0.1").on("error", (error) => { console.log(error.code); process.exitCode = 42; });
  `;
  const byNode = await sealport(["exec", file, "--", process.execPath, "--input-type=module", "-e", code]);
  assert.deepEqual(
    byNode.out.trim().split("\n"),
    [said, `http: ${said}`, "connected", "office saw undefined from 10.99.0.2", "ECONNREFUSED"],
    byNode.err,
  );
  assert.equal(byNode.code, 42);
});

test("exec carries node:tls, node:https and fetch over https, and answers with the command's own errors", async () => {
  const { cert, key, ca } = vouchedForAt(Date.now(), "intranet.office.test").pem;
  const files = [join(scratch(), "exec.crt"), join(scratch(), "exec.key"), join(scratch(), "exec-ca.crt")] as const;
  [cert, key, ca].forEach((text, i) => {
    writeFileSync(files[i]!, text);
  });
  const arguments_ = ["s_server", "-accept", "8444", "-cert", files[0], "-key", files[1], "-www"];
  await using server = office.peer.inside("OpenSSL", "openssl", ...arguments_);
  await server.says(/ACCEPT/);
  const url = "https://intranet.office.test:8444/";
  const code = `
    import https from "node:https";
    import { connect } from "node:tls";
    console.log((await fetch("${url}")).status);
    await new Promise((done) => https.get("${url}", (r) => r.on("data", () => {}).on("end", () => done(console.log(r.statusCode)))));
    const socket = connect({ host: "intranet.office.test", port: 8444 }, () => { console.log(socket.authorized); socket.destroy(); });
    await new Promise((done) => socket.on("close", done));
    await fetch("http://nobody.office.test/").catch((error) => console.log(error.cause.code));
  `;
  const env = { NODE_EXTRA_CA_CERTS: files[2] };
  const ran = await sealport(["exec", file, "--", process.execPath, "--input-type=module", "-e", code], { env });
  assert.deepEqual(ran.out.trim().split("\n"), ["200", "200", "true", "ENOTFOUND"], ran.err);
  assert.equal(ran.code, 0);
});

test("what goes to the loopback stays there, whatever exec does", async () => {
  const here = createTcpServer((socket) => socket.end("here"));
  await new Promise<void>((resolve) => here.listen(0, "127.0.0.1", resolve));
  const { port } = here.address() as AddressInfo;
  const code = `require("net").connect(${port}, "127.0.0.1").on("data", (d) => console.log(String(d)))`;
  const ran = await sealport(["exec", file, "--", process.execPath, "-e", code]);
  assert.equal(ran.out, "here\n", ran.err);
  await new Promise((resolve) => here.close(resolve));
});

test("ping and doctor say how the tunnel does, in text and in JSON", async () => {
  const pinged = await sealport(["ping", file, "intranet", "--count", "2"]);
  assert.equal(pinged.code, 0, pinged.err);
  assert.match(pinged.out, /2 of 2 answered; least [\d.]+ ms/);
  const { out, code } = await sealport(["doctor", file, "--json"]);
  assert.equal(code, 0, out);
  const events = out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const checks = events.filter(({ event }) => event === "check");
  assert.deepEqual(
    checks.map(({ name }) => name),
    ["file", "permissions", "clock", "name localhost", "handshake", "MTU", "name server 10.99.0.1", "routes"],
  );
  assert.ok(checks.every(({ ok }) => ok));
});

test("what is wrong with a file has its line, its hint and its exit code", async () => {
  const bad = (name: string, text: string): string => {
    const path = join(scratch(), name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const script = await sealport(["tunnel", bad("script.conf", "[Interface]\nPostUp = rm -rf /\n")]);
  assert.equal(script.code, 3, script.err);
  assert.match(script.err, /line 2: PostUp would run a shell command, and is refused/);
  assert.doesNotMatch(script.err, /rm -rf/);
  const unnamed = office.conf.replace("localhost", "no-such-host.invalid");
  assert.equal((await sealport(["ping", bad("unnamed.conf", unnamed), "10.99.0.1"])).code, 4);
  assert.equal((await sealport(["tunnel", file, "--socks", "0.0.0.0:0"])).code, 2);
  assert.equal((await sealport(["tunnel", file, "-L", "nonsense"])).code, 2);
  assert.equal((await sealport(["tunnel", file, "--socks", "0", "--socks-auth", "ann:secret"])).code, 2);
  assert.equal((await sealport(["tunnel"])).code, 2);
  assert.equal((await sealport(["tunnel", join(scratch(), "absent.conf")])).code, 3);
});

test("keygen wireguard makes a pair that wg agrees with, and --key opens a file without one", async () => {
  const prefix = join(scratch(), "laptop");
  const made = await sealport(["keygen", "wireguard", "--out", prefix]);
  assert.equal(made.out, `${prefix}.pub\n${prefix}.key\n`, made.err);
  const wg = new Program("wg", "sh", ["-c", `wg pubkey < ${prefix}.key | cmp - ${prefix}.pub`]);
  assert.equal(await wg.ends(), "exited with 0", wg.said);
  const [line, key] = /^PrivateKey = (.*)$/m.exec(office.conf)!;
  const keyless = join(scratch(), "keyless.conf");
  writeFileSync(keyless, office.conf.replace(line, ""), { mode: 0o600 });
  assert.notEqual((await sealport(["ping", keyless, "10.99.0.1", "--count", "1"])).code, 0);
  const given = ["ping", keyless, "10.99.0.1", "--count", "1", "--key", "env:OFFICE_KEY"];
  const pinged = await sealport(given, { env: { OFFICE_KEY: key! } });
  assert.equal(pinged.code, 0, pinged.err);
});

test("listen wireguard: prints a client's file, which wg-quick takes and a tunnel of ours opens", async () => {
  const arguments_ = [program, "listen", "wireguard://127.0.0.1:0", "--echo"];
  await using server = new Program("sealport listen", process.execPath, arguments_);
  const [, conf] = await server.says(/(\[Interface\][\s\S]*Endpoint = 127\.0\.0\.1:\d+\n)/);
  const [, address] = await server.says(/inside as (10\.\d+\.\d+\.1)/);
  // Half blocks: a QR code has four of them side by side at its finder patterns.
  assert.match(Buffer.from(server.said, "latin1").toString(), /[▀▄█]{4}/);
  const client = join(scratch(), "client.conf");
  writeFileSync(client, conf!, { mode: 0o600 });
  await using stripped = new Program("wg-quick", "wg-quick", ["strip", client]);
  assert.equal(await stripped.ends(), "exited with 0", stripped.said);
  await using opened = await tunnel(client);
  assert.ok((await opened.ping(address!)) > 0);
  const socket = opened.connect({ host: address!, port: 7 });
  socket.end("echoed");
  let said = "";
  for await (const chunk of socket) said += chunk;
  assert.equal(said, "echoed");
});

test("the tunnel example runs as it stands", async () => {
  const example = fileURLToPath(new URL("../../examples/tunnel.js", import.meta.url));
  await using run = new Program("examples/tunnel", process.execPath, [example, file, intranet]);
  assert.equal(await run.ends(), "exited with 0", run.said);
  assert.equal(run.said, `${said}\nreachable inside on port 8080; 1 handshake\n`);
});
