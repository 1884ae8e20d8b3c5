import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { frameHeaderSize, putFrameHeader } from "../../src/mechanisms/framed-packets.js";
import { scratch } from "../interop/peers/certificates.js";
import { NaclKeys } from "../interop/peers/curvecp.js";
import { type Command, peer, python } from "../interop/peers/find.js";
import { type Office, startOffice } from "../interop/peers/office.js";
import { OpenVpnServer } from "../interop/peers/openvpn.js";
import { Program } from "../interop/peers/program.js";
import { site } from "../interop/peers/quic.js";
import { rtpPacket } from "../support/rtp.js";
import { vouchedForAt } from "../support/taps.js";
import { program, sealport } from "./sealport.js";

// Whole protocols dialled, and awaited, behind wireguard-go: --tunnel is all that is added. Ports are those of its own namespace.

const folder = scratch();
const at = (name: string): string => join(folder, name);
const name = "intranet.office.test";
const file = at("office.conf");
let office: Office;
before(async () => {
  office = await startOffice("office");
  writeFileSync(file, office.conf, { mode: 0o600 });
  const { cert, key, ca } = vouchedForAt(Date.now(), name).pem;
  for (const [suffix, text] of Object.entries({ crt: cert, key, ca })) writeFileSync(at(`server.${suffix}`), text);
  // GnuTLS wants a key with its public half.
  execFileSync("openssl", ["ec", "-in", at("server.key"), "-out", at("whole.key")], { stdio: "ignore" });
});
after(() => office[Symbol.asyncDispose]());

const trust = () => ["--trust", at("server.ca")];
const through = (args: readonly string[], input = "") => sealport([...args, "--tunnel", file, "--json"], { input });
/** Says something, and ends its input when it has been answered: a datagram's sender knows no other end than silence. */
async function spoken(args: readonly string[], input: string | Uint8Array, answer: RegExp): Promise<Program> {
  const client = new Program("sealport connect", process.execPath, [program, ...args, "--tunnel", file, "--json"]);
  await client.write(input);
  await client.says(answer);
  client.finish();
  assert.equal(await client.ends(), "exited with 0", client.said);
  return client;
}
const inside = (what: string, { command, prefix }: Command, ...args: readonly string[]): Program =>
  office.peer.inside(what, command, ...prefix, ...args);
const ours = (...args: readonly string[]): Program =>
  office.peer.inside(`sealport ${args[0]}`, process.execPath, program, ...args);

type Event = Readonly<Record<string, unknown>> & { readonly event: string };
const eventsOf = (out: string): readonly Event[] =>
  out.split("\n").flatMap((line) => (line.startsWith("{") ? [JSON.parse(line) as Event] : []));
const heard = (out: string, event = "data"): string =>
  Buffer.concat(
    eventsOf(out).flatMap((each) => (each.event === event ? [Buffer.from(String(each["base64"]), "base64")] : [])),
  ).toString();

test("tcp and udp: a server by its name inside, and the tunnel's own events beside the session's", async () => {
  const { code, out } = await through(["connect", `tcp://${name}:8080`], "GET / HTTP/1.0\r\nHost: a\r\n\r\n");
  assert.equal(code, 0, out);
  assert.match(heard(out), /office saw a from 10\.99\.0\.2$/);
  const told = eventsOf(out);
  assert.deepEqual(told.find(({ event }) => event === "open")?.["addresses"], ["10.99.0.2", "fd99::2"]);
  assert.ok(told.some(({ event, isInitiator }) => event === "handshake" && isInitiator === true));
  assert.ok(told.some(({ event, line }) => event === "warning" && line === 5));
  assert.match(String(told.find(({ event }) => event === "connected")?.["local"]), /^10\.99\.0\.2:/);
  await using udp = await spoken(["connect", `udp://${name}:7`], "a datagram", /"event":"data"/);
  assert.equal(heard(udp.said), "a datagram");
});

test("tls, to OpenSSL; with --pcapng one file has what passes outside and inside, and Wireshark reads it to the bottom", async () => {
  const given = ["-accept", "8443", "-cert", at("server.crt"), "-key", at("server.key"), "-rev"];
  await using server = office.peer.inside("OpenSSL", "openssl", "s_server", ...given);
  await server.says(/ACCEPT/);
  const capture = at("tls.pcapng");
  const { code, out } = await through(
    ["connect", `tls://${name}:8443`, ...trust(), "--pcapng", capture],
    "backwards\n",
  );
  assert.equal(code, 0, out);
  assert.equal(heard(out), "sdrawkcab\n");
  assert.equal(eventsOf(out).find(({ event }) => event === "connected")?.["stack"], "TLS/TCP");
  const fields = [
    "-r",
    capture,
    "-d",
    "tcp.port==8443,tls",
    "-T",
    "fields",
    "-e",
    "frame.interface_name",
    "-e",
    "data.data",
  ];
  await using tshark = new Program("tshark", "tshark", [...fields, "-Y", "tls && data"]);
  assert.equal(await tshark.ends(), "exited with 0", tshark.said);
  const said = Buffer.from("backwards\n").toString("hex");
  assert.match(tshark.said, new RegExp(`wg:office\\s${said}`));
});

test("dtls, to OpenSSL", async () => {
  const given = ["-dtls", "-accept", "8444", "-cert", at("server.crt"), "-key", at("server.key")];
  await using server = office.peer.inside("OpenSSL", "openssl", "s_server", ...given);
  await server.says(/ACCEPT/);
  const { code, out } = await through(["connect", `dtls://${name}:8444`, ...trust()], "in one record");
  assert.equal(code, 0, out);
  await server.says(/in one record/);
});

test("quic: a stream to aioquic, and a page by HTTP/3 from ngtcp2", async () => {
  const echo = ["server", "4433", "--host", "10.99.0.1", "--alpn", "echo"];
  const files = ["--certificate", at("server.crt"), "--key", at("server.key")];
  await using aioquic = inside("aioquic", python("quic.py"), ...echo, ...files);
  await aioquic.says("LISTENING");
  const stream = await through(["connect", `quic://${name}:4433`, "--alpn", "echo", ...trust()], "on a stream");
  assert.equal(stream.code, 0, stream.out);
  assert.equal(heard(stream.out), "on a stream");

  const www = site("<p>inside</p>\n");
  const pages = ["-q", "-d", www, "10.99.0.1", "4434", at("whole.key"), at("server.crt")];
  await using ngtcp2 = inside("ngtcp2", peer("ngtcp2 0.12 server"), ...pages);
  await ngtcp2.says(/Using document root/);
  const page = await through(["connect", `quic://${name}:4434/index.html`, "--alpn", "h3", ...trust()]);
  assert.equal(page.code, 0, page.out);
  assert.equal(heard(page.out), "<p>inside</p>\n");
});

test("curvecp, to NaCl's server", async () => {
  using keys = new NaclKeys();
  const message = ["curvecpmessage", "-s", "sh", "-c", "cat"];
  const names = [name, keys.path, "10.99.0.1", "4435", "0".repeat(32)];
  await using _server = inside("NaCl's CurveCP server", peer("curvecpserver"), ...names, ...message);
  const url = `curvecp://${name}:4435?server-name=${name}`;
  const { code, out } = await through(["connect", url, "--peer-key", keys.path], "in boxes");
  assert.equal(code, 0, out);
  assert.equal(heard(out), "in boxes");
});

test("srtp and zrtp, to ends of ours in the other network", async () => {
  const packet = rtpPacket({ sequence: 1, ssrc: 9, payload: "one packet" });
  const frame = new Uint8Array(frameHeaderSize + packet.length);
  putFrameHeader(frame, 0, packet.length);
  frame.set(packet, frameHeaderSize);
  const made = await sealport(["keygen", "srtp", "--out", at("call")]);
  assert.equal(made.code, 0, made.err);
  const ends = [
    ["srtp", ["--srtp-keys", `@${at("call.far.sdes")}`], ["--srtp-keys", `@${at("call.near.sdes")}`]],
    ["zrtp", [], []],
  ] as const;
  for (const [scheme, far, near] of ends) {
    await using server = ours("listen", `${scheme}://10.99.0.1:5004`, ...far, "--echo", "--json");
    await server.says(/"listening"/);
    await using client = await spoken(["connect", `${scheme}://${name}:5004`, ...near], frame, /"event":"packet"/);
    const back: Uint8Array[] = [];
    for (const each of eventsOf(client.said))
      if (each.event === "packet") back.push(Uint8Array.from(Buffer.from(String(each["base64"]), "base64")));
    assert.deepEqual(back, [packet]);
  }
});

test("listen waits inside: tls for OpenSSL, quic's files for ngtcp2, a WireGuard of its own for a tunnel in the tunnel", async () => {
  const listening = (...args: readonly string[]): Program =>
    new Program("sealport listen", process.execPath, [program, "listen", ...args, "--tunnel", file, "--json"]);
  {
    await using server = listening("tls://*:0", "--identity", at("server"), "--echo", "--once");
    const [, port] = await server.says(/"listening","address":"[^"]*?:(\d+)"/);
    const given = ["-connect", `10.99.0.2:${port}`, "-CAfile", at("server.ca"), "-verify_return_error"];
    await using client = office.peer.inside("OpenSSL", "openssl", "s_client", ...given, "-servername", name);
    await client.says(/Verify return code: 0/);
    await client.write("to the inside\n");
    await client.says(/^to the inside/m);
    await client.write("Q\n");
    assert.equal(await server.ends(), "exited with 0", server.said);
    assert.match(server.said, /"accepted".*"remote":"10\.99\.0\.1:/);
  }
  {
    const www = site("<p>from inside</p>\n");
    await using server = listening("quic://10.99.0.2:0", "--www", www, "--identity", at("server"));
    const [, port] = await server.says(/"listening","address":"10\.99\.0\.2:(\d+)"/);
    const given = ["-q", "--exit-on-all-streams-close", "--download", folder, "10.99.0.2", port!];
    await using client = inside("ngtcp2", peer("ngtcp2 0.12 client"), ...given, `https://${name}/index.html`);
    await server.says(/"request","remote":"10\.99\.0\.1:\d+","method":"GET","path":"\/index\.html"/);
    assert.equal(await client.ends(), "exited with 0", client.said);
  }
  {
    await using server = listening("wireguard://10.99.0.2:0", "--echo");
    const [, json] = await server.says(/^(\{[^\n]*"event":"client"[^\n]*\})$/m);
    const { file: conf, address } = JSON.parse(json!) as { file: string; address: string };
    assert.match(conf, /Endpoint = 10\.99\.0\.2:\d+/);
    writeFileSync(at("client.conf"), conf, { mode: 0o600 });
    await using pinged = ours("ping", at("client.conf"), address, "--count", "1", "--json");
    assert.equal(await pinged.ends(), "exited with 0", pinged.said);
  }
});

test("an OpenVPN file is a tunnel too; what is wrong with a file is said before anything is sent", async () => {
  await using server = await OpenVpnServer.start();
  writeFileSync(at("office.ovpn"), server.file(), { mode: 0o600 });
  const given = ["-accept", "8443", "-cert", at("server.crt"), "-key", at("server.key"), "-rev"];
  await using tls = server.inside("OpenSSL", "openssl", "s_server", ...given);
  await tls.says(/ACCEPT/);
  const url = `tls://10.79.0.1:8443?server-name=${name}`;
  const ran = await sealport(["connect", url, ...trust(), "--tunnel", at("office.ovpn"), "--json"], { input: "abc\n" });
  assert.equal(ran.code, 0, ran.out);
  assert.equal(heard(ran.out), "cba\n");
  const script = at("script.conf");
  writeFileSync(script, "[Interface]\nPostUp = rm -rf /\n");
  const wrong = await sealport(["connect", url, "--tunnel", script]);
  assert.equal(wrong.code, 3);
  assert.match(wrong.err, /line 2: PostUp/);
});
