import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { scratch } from "./peers/index.js";
import {
  aioquicClient,
  chromiumClient,
  contentOf,
  curlClient,
  ngtcp2Client,
  opensslQuicClient,
  opensslSClient,
  site,
} from "./peers/quic.js";
import { OurQuicServer, sha256 } from "./quic-ours.js";

const page = "<p>the page</p>\n";
const www = site(
  `${page}<script>fetch("/small").then((r) => r.arrayBuffer()).then((b) => document.body.append("bytes " + b.byteLength))</script>`,
  {
    small: 3_000,
    large: 5_000_000,
    huge: 100_000_000,
  },
);
const posted = join(scratch(), "posted");
writeFileSync(posted, contentOf("posted", 100_000_000));
const hashOfPosted = `100000000 ${sha256(contentOf("posted", 100_000_000))}`;

describe("aioquic's client and our server", { concurrency: 2 }, () => {
  const variants: readonly (readonly [string, readonly string[], RegExp, { readonly retry?: "always" }?])[] = [
    ["a thousand streams", ["--streams", "1000", "--size", "2000"], /HANDSHAKE version=0x1 alpn=echo/],
    ["a megabyte through a Retry", ["--size", "1000000"], /HANDSHAKE/, { retry: "always" }],
    ["datagrams", ["--datagrams", "20"], /DATAGRAMS 20/],
    ["a key update", ["--key-update", "--size", "100000"], /KEY UPDATE/],
    ["a migration", ["--migrate", "--size", "100000"], /MIGRATED/],
    ["another connection id", ["--new-cid", "--size", "100000"], /HANDSHAKE/],
    ["version 2", ["--versions", "2"], /version=0x6b3343cf/],
    ["ChaCha20", ["--cipher", "CHACHA20_POLY1305_SHA256"], /cipher=CHACHA20_POLY1305_SHA256/],
  ];
  for (const [name, args, said, options = {}] of variants) {
    test(`${name}`, async () => {
      await using server = await OurQuicServer.start({ options });
      const client = aioquicClient(server.port, "echo", ...args);
      assert.equal(await client.ends(), "exited with 0", client.said);
      assert.match(client.said, said);
      assert.equal(server.outcomes[0]?.addressRetried, options.retry === "always");
      if (name === "a migration") assert.deepEqual(server.told, ["moved the peer's"]);
      if (name === "a key update") assert.ok(server.told.includes("new keys to read by peer"));
    });
  }

  test("our wish for version 2, which it takes", async () => {
    await using server = await OurQuicServer.start({ options: { versions: ["2", "1"] } });
    const client = aioquicClient(server.port, "echo", "--versions", "1,2");
    assert.equal(await client.ends(), "exited with 0", client.said);
    assert.match(client.said, /version=0x6b3343cf/);
    assert.deepEqual([server.outcomes[0]?.version, server.outcomes[0]?.versionChanged], ["2", "compatible"]);
  });

  test("resumption and 0-RTT", async () => {
    await using server = await OurQuicServer.start();
    const session = join(scratch(), "session");
    const first = aioquicClient(server.port, "echo", "--session", session);
    assert.equal(await first.ends(), "exited with 0", first.said);
    const second = aioquicClient(server.port, "echo", "--session", session, "--early");
    await second.says(/resumed=True early=True/);
    assert.equal(await second.ends(), "exited with 0", second.said);
    assert.equal(server.outcomes[1]?.earlyData, "accepted");
  });

  for (const alpn of ["h3", "hq-interop"]) {
    test(`files by ${alpn}`, async () => {
      await using server = await OurQuicServer.start({ www });
      const client = aioquicClient(server.port, alpn, "--path", "/large");
      await client.says(`GOT 5000000 ${sha256(contentOf("large", 5_000_000))}`);
    });
  }
});

describe("OpenSSL's clients and our server", () => {
  for (const retry of ["never", "always"] as const) {
    test(`echo and key update, Retry ${retry}`, async () => {
      await using server = await OurQuicServer.start({ options: { retry } });
      const client = opensslQuicClient(server.port, "echo", 2_000_000, "-u", "-n", "2");
      await client.says(/SAME 2000000[\s\S]*KEY UPDATE 1[\s\S]*SAME 2000000/);
      assert.equal(await client.ends(), "exited with 0");
    });
  }

  test("s_client verifies us", async () => {
    await using server = await OurQuicServer.start();
    const client = opensslSClient(server.port, "echo");
    await client.says(/Verification: OK/);
    client.finish();
    await client.ends();
  });
});

describe("ngtcp2's clients and our server", { concurrency: 2 }, () => {
  for (const version of ["0.12", "1.11"] as const) {
    const variants: readonly (readonly [string, readonly string[], { readonly retry?: "always" }?])[] = [
      ["a file of five megabytes", []],
      ["through a Retry", [], { retry: "always" }],
      ["an update of keys", ["--key-update=20ms", "--delay-stream=100ms"]],
      ["another local address", ["--change-local-addr=20ms", "--delay-stream=100ms"]],
      ["a NAT that rebinds", ["--change-local-addr=20ms", "--nat-rebinding", "--delay-stream=100ms"]],
    ];
    for (const [name, args, options = {}] of variants) {
      test(`${version}: ${name}`, async () => {
        await using server = await OurQuicServer.start({ www, options });
        const downloads = scratch();
        const client = ngtcp2Client(version, server.port, { paths: ["/large"], downloads, args });
        assert.equal(await client.ends(), "exited with 0", client.said);
        assert.deepEqual(new Uint8Array(readFileSync(join(downloads, "large"))), contentOf("large", 5_000_000));
        if (name.includes("keys")) assert.ok(server.told.includes("new keys to read by peer"), client.said);
        if (/address|NAT/.test(name)) assert.deepEqual(server.told, ["moved the peer's"]);
      });
    }

    test(`${version}: a resumed session with 0-RTT, and a token instead of a Retry`, async () => {
      await using server = await OurQuicServer.start({ www });
      const session = join(scratch(), "session");
      const first = ngtcp2Client(version, server.port, { session });
      assert.equal(await first.ends(), "exited with 0", first.said);
      const second = ngtcp2Client(version, server.port, { session });
      assert.equal(await second.ends(), "exited with 0", second.said);
      assert.deepEqual([server.outcomes[1]?.mode, server.outcomes[1]?.earlyData], ["resumed", "accepted"]);
    });
  }

  test("1.11: a thousand requests", async () => {
    await using server = await OurQuicServer.start({ www });
    const client = ngtcp2Client("1.11", server.port, { paths: ["/small"], args: ["-n", "1000"] });
    assert.equal(await client.ends(), "exited with 0", client.said.slice(-2_000));
    assert.equal(client.said.match(/:status: 200/g)?.length, 1_000);
  });

  test("1.11: version 2, and a version that nobody has", async () => {
    await using server = await OurQuicServer.start({ www });
    const two = ngtcp2Client("1.11", server.port, { args: ["-v", "0x6b3343cf"] });
    assert.equal(await two.ends(), "exited with 0", two.said);
    assert.equal(server.outcomes[0]?.version, "2");
    const none = ngtcp2Client("1.11", server.port, { args: ["-v", "0x1a2a3a4a"] });
    assert.equal(await none.ends(), "exited with 0", none.said);
  });

  test("1.11: a hundred megabytes each way", async () => {
    await using server = await OurQuicServer.start({ www });
    const downloads = scratch();
    const args = ["--quiet"];
    const get = ngtcp2Client("1.11", server.port, { paths: ["/huge"], downloads, args });
    assert.equal(await get.ends(), "exited with 0", get.said);
    assert.equal(sha256(readFileSync(join(downloads, "huge"))), sha256(contentOf("huge", 100_000_000)));
    const post = ngtcp2Client("1.11", server.port, { paths: ["/posted"], downloads, data: posted, args });
    assert.equal(await post.ends(), "exited with 0", post.said);
    assert.equal(readFileSync(join(downloads, "posted"), "utf8").trim(), hashOfPosted);
  });
});

describe("curl, Chromium and our server", () => {
  test("curl gets a page and posts a file", async () => {
    await using server = await OurQuicServer.start({ www });
    await curlClient(`https://localhost:${server.port}/index.html`).says("<p>the page</p>");
    const post = curlClient(`https://localhost:${server.port}/`, "--data-binary", `@${posted}`, "-H", "expect:");
    await post.says(hashOfPosted);
  });

  test("Chromium loads a page, and its script a file", async () => {
    await using server = await OurQuicServer.start({ www });
    await chromiumClient(server.port, "/index.html").says(/<p>the page<\/p>[\s\S]*bytes 3000/);
    assert.equal(server.outcomes[0]?.alpn, "h3");
  });
});
