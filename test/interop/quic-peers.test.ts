import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { scratch } from "./peers/index.js";
import {
  aioquicClient,
  chromiumClient,
  contentOf,
  curlClient,
  ngtcp2Client,
  opensslQuicClient,
  opensslSClient,
  quicServers,
  site,
} from "./peers/quic.js";

/** The strangers among themselves: what fails here is not ours. */

const page = "<p>the page</p>\n";

test("OpenSSL's QUIC and aioquic give each other back what they sent, through a Retry and a key update", async () => {
  await using aioquic = await quicServers["aioquic 1.2"]({ retry: true });
  const openssl = opensslQuicClient(aioquic.port, "echo", 100_000, "-u", "-n", "2");
  await openssl.says(/SAME 100000[\s\S]*KEY UPDATE 1[\s\S]*SAME 100000/);
  assert.equal(await openssl.ends(), "exited with 0");
  await using server = await quicServers["OpenSSL 3.5"]({ retry: true });
  const back = aioquicClient(server.port, "echo", "--streams", "5", "--size", "50000", "--key-update");
  assert.equal(await back.ends(), "exited with 0", back.said);
});

test("aioquic with itself: version 2, datagrams, migration, 0-RTT", async () => {
  await using server = await quicServers["aioquic 1.2"]({});
  const moving = aioquicClient(server.port, "echo", "--versions", "2,1", "--datagrams", "3", "--migrate");
  assert.equal(await moving.ends(), "exited with 0", moving.said);
  assert.match(moving.said, /version=0x6b3343cf[\s\S]*MIGRATED[\s\S]*DATAGRAMS 3/);
  const session = join(scratch(), "session");
  const first = aioquicClient(server.port, "echo", "--session", session);
  assert.equal(await first.ends(), "exited with 0", first.said);
  const second = aioquicClient(server.port, "echo", "--session", session, "--early");
  await second.says(/resumed=True early=True/);
});

test("nginx serves hq-interop and h3, ngtcp2 of both ages h3, to aioquic, ngtcp2, curl and s_client", async () => {
  const www = site(page, { large: 300_000 });
  await using nginx = await quicServers["nginx 1.26"]({ www, retry: true });
  for (const alpn of ["hq-interop", "h3"]) {
    const client = aioquicClient(nginx.port, alpn, "--path", "/index.html");
    await client.says(`GOT ${page.length} `);
  }
  await using older = await quicServers["ngtcp2 0.12"]({ www });
  await using newer = await quicServers["ngtcp2 1.11"]({ www });
  for (const [version, server] of [
    ["0.12", newer],
    ["1.11", older],
    ["1.11", nginx],
  ] as const) {
    const downloads = scratch();
    const client = ngtcp2Client(version, server.port, { downloads, paths: ["/large"] });
    assert.equal(await client.ends(), "exited with 0", client.said);
    assert.deepEqual(new Uint8Array(readFileSync(join(downloads, "large"))), contentOf("large", 300_000));
  }
  await curlClient(`https://localhost:${older.port}/index.html`).says(page.trim());
  const s_client = opensslSClient(newer.port, "h3");
  await s_client.says(/Verification: OK/);
  s_client.finish();
});

test("Caddy and haproxy serve curl, and Chromium loads a page", async () => {
  const www = site(page);
  await using caddy = await quicServers["Caddy 2.6"]({ www });
  await using haproxy = await quicServers["haproxy 3.0"]({});
  await curlClient(`https://localhost:${caddy.port}/index.html`).says(page.trim());
  await curlClient(`https://localhost:${haproxy.port}/`).says("hello-haproxy");
  await chromiumClient(caddy.port, "/index.html").says(page.trim());
});
