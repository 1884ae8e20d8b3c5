import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { freePort } from "../support/free-port.js";
import { authority, identity, Program, scratch } from "./peers/index.js";
import { aioquicClient, contentOf, ngtcp2Client, quicServers, site } from "./peers/quic.js";
import { losing, type UdpEdit, UdpRelay } from "./udp-relay.js";

/** tools/quic-interop as the runner starts it: against itself, and against strangers. */

const program = fileURLToPath(new URL("../../tools/quic-interop/main.js", import.meta.url));
const files: Readonly<Record<string, number>> = { one: 1_000, two: 500_000, three: 20_000 };
const www = site("", files);
const certificates = scratch();
copyFileSync(authority(), join(certificates, "ca.pem"));
copyFileSync(identity("p256").certificate, join(certificates, "cert.pem"));
copyFileSync(identity("p256").key, join(certificates, "priv.key"));

const tool = (role: string, testcase: string, env: NodeJS.ProcessEnv): Program =>
  new Program(`quic-interop ${role}`, process.execPath, [program], {
    ROLE: role,
    TESTCASE: testcase,
    CERTS: certificates,
    SSLKEYLOGFILE: "",
    ...env,
  });

async function serve(testcase: string, env: NodeJS.ProcessEnv = {}): Promise<{ server: Program; port: number }> {
  const port = await freePort();
  const server = tool("server", testcase, { WWW: www, IP: "127.0.0.1", PORT: String(port), ...env });
  await server.says("listening");
  return { server, port };
}

async function fetch(
  testcase: string,
  port: number,
  env: NodeJS.ProcessEnv = {},
  names = Object.keys(files),
): Promise<Program> {
  const downloads = scratch();
  const requests = names.map((name) => `https://localhost:${port}/${name}`).join(" ");
  const client = tool("client", testcase, { DOWNLOADS: downloads, REQUESTS: requests, ...env });
  assert.equal(await client.ends(), "exited with 0", client.said);
  for (const name of names) {
    assert.deepEqual(new Uint8Array(readFileSync(join(downloads, name))), contentOf(name, files[name]!), name);
  }
  return client;
}

describe("against itself", { concurrency: 2 }, () => {
  const cases = [
    ["handshake", "handshake"],
    ["transfer", "transfer"],
    ["multiplexing", "multiplexing"],
    ["retry", "retry"],
    ["resumption", "resumption"],
    ["zerortt", "zerortt"],
    ["keyupdate", "transfer"],
    ["chacha20", "chacha20"],
    ["v2", "v2"],
    ["http3", "http3"],
    ["multiconnect", "multiconnect"],
    ["connectionmigration", "transfer"],
  ] as const;
  for (const [testcase, atServer] of cases) {
    test(`${testcase}`, async () => {
      const { server, port } = await serve(atServer);
      await using _ = server;
      await fetch(testcase, port);
    });
  }

  const ways: readonly (readonly [string, UdpEdit])[] = [["transferloss", losing(0.02, 5)]];
  for (const [name, edit] of ways) {
    test(`${name}`, async () => {
      const { server, port } = await serve("transfer");
      await using _ = server;
      await using relay = await UdpRelay.to(port, edit);
      await fetch("transfer", relay.port);
    });
  }

  test("rebind-port", async () => {
    const { server, port } = await serve("transfer");
    await using _ = server;
    await using relay = await UdpRelay.to(port, (direction, bytes, count) => {
      if (direction === "to client" && count === 60) void relay.rebind();
      return bytes;
    });
    await fetch("transfer", relay.port);
    assert.ok(relay.seen["to client"].datagrams > 60);
  });

  test("a qlog and a key log are written where the runner wants them", async () => {
    const folder = scratch();
    const qlogs = join(folder, "qlogs");
    const { server, port } = await serve("transfer", { QLOGDIR: qlogs, SSLKEYLOGFILE: join(folder, "server.keys") });
    await fetch("transfer", port, { QLOGDIR: qlogs, SSLKEYLOGFILE: join(folder, "client.keys") });
    server.kill("SIGTERM");
    assert.equal(await server.ends(), "exited with 0", server.said);
    const [client, other] = readdirSync(qlogs).sort();
    assert.match(client!, /^client-.*\.sqlog$/);
    for (const name of [client!, other!]) {
      const records = readFileSync(join(qlogs, name), "utf8").split("\u001e").slice(1);
      const events = records.slice(1).map((each) => JSON.parse(each) as { name: string });
      assert.ok(events.some((each) => each.name === "quic:packet_received"));
    }
    const lines = (side: string) =>
      new Set(
        readFileSync(join(folder, `${side}.keys`), "utf8")
          .trim()
          .split("\n"),
      );
    assert.deepEqual(lines("client"), lines("server"));
  });
});

describe("against strangers", { concurrency: 2 }, () => {
  for (const testcase of ["handshake", "transfer", "retry", "resumption", "keyupdate", "chacha20", "multiconnect"]) {
    test(`client, ${testcase}, nginx`, async () => {
      await using server = await quicServers["nginx 1.26"]({ www, retry: testcase === "retry" });
      await fetch(testcase, server.port);
    });
  }

  for (const testcase of ["zerortt", "v2", "connectionmigration"]) {
    test(`client, ${testcase}, aioquic`, async () => {
      // It follows the client's order of versions, and ours begins with 1: so it is to have 2 alone, and say so.
      const args = testcase === "v2" ? ["--versions", "2"] : [];
      await using server = await quicServers["aioquic 1.2"]({ www, alpn: "hq-interop", args });
      await fetch(testcase, server.port);
    });
  }

  test("client, http3, ngtcp2", async () => {
    await using server = await quicServers["ngtcp2 1.11"]({ www });
    await fetch("http3", server.port);
  });

  test("server, retry and v2, aioquic", async () => {
    for (const testcase of ["retry", "v2"]) {
      const { server, port } = await serve(testcase);
      await using _ = server;
      const client = aioquicClient(port, "hq-interop", "--path", "/two");
      assert.equal(await client.ends(), "exited with 0", client.said);
      assert.match(client.said, testcase === "v2" ? /version=0x6b3343cf/ : /GOT 500000/);
    }
  });

  test("server, http3, ngtcp2", async () => {
    const { server, port } = await serve("http3");
    await using _ = server;
    const downloads = scratch();
    mkdirSync(downloads, { recursive: true });
    const client = ngtcp2Client("1.11", port, { paths: ["/two"], downloads });
    assert.equal(await client.ends(), "exited with 0", client.said);
    assert.deepEqual(new Uint8Array(readFileSync(join(downloads, "two"))), contentOf("two", files["two"]!));
  });
});

test("a case or role that it does not know ends with 127, a failure with 1", async () => {
  assert.equal(await tool("client", "teleportation", {}).ends(), "exited with 127");
  assert.equal(await tool("spectator", "transfer", {}).ends(), "exited with 127");
  assert.equal(await tool("client", "transfer", {}).ends(), "exited with 1");
});
