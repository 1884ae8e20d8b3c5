import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { versions } from "./conversation.js";
import { connectOurs, OurServer } from "./ours.js";
import { strangers } from "./peers/index.js";
import { Relay } from "./relay.js";

describe("the end of a conversation", { concurrency: 2 }, () => {
  for (const version of versions) {
    for (const name of ["OpenSSL 3.0", "GnuTLS 3.7", "node:tls"] as const) {
      test(`a TLS ${version} stream of ${name} that is cut without close_notify is a truncation, not an end`, async () => {
        await using server = await strangers[name].serve({ version });
        await using relay = await Relay.to(server.port);
        await using ours = connectOurs(relay.port, { version });
        await ours.say("half a sente");
        await server.hears("half a sente");
        relay.cut("finish");
        const failure = await ours.ending();
        assert.equal(failure?.fault, "unreachable");
        assert.equal(failure?.reason, "truncated-stream");
        assert.ok(!ours.told.includes("ended"));
      });

      test(`a TLS ${version} connection with ${name} that is reset says so`, async () => {
        await using server = await strangers[name].serve({ version });
        await using relay = await Relay.to(server.port);
        await using ours = connectOurs(relay.port, { version });
        await ours.say("half a sente");
        await server.hears("half a sente");
        relay.cut("reset");
        const failure = await ours.ending();
        assert.equal(failure?.fault, "unreachable");
      });

      test(`a TLS ${version} client of ${name} that disappears is a truncation for our server`, async () => {
        await using server = await OurServer.start({ version });
        await using relay = await Relay.to(server.port);
        await using client = strangers[name].connect(relay.port, { version });
        const ours = await server.next();
        await client.say("half a sente");
        await ours.hears("half a sente");
        relay.cut("finish");
        const failure = await ours.ending();
        assert.equal(failure?.reason, "truncated-stream");
      });
    }
  }

  for (const name of ["OpenSSL 3.0", "GnuTLS 3.7", "node:tls"] as const) {
    test(`one flipped bit in a record of ${name} ends the session with bad_record_mac`, async () => {
      let flip = false;
      await using server = await strangers[name].serve({ version: "1.3" });
      await using relay = await Relay.to(server.port, (direction, bytes) => {
        if (flip && direction === "to client") bytes[bytes.length - 1]! ^= 1;
        return bytes;
      });
      await using ours = connectOurs(relay.port, { version: "1.3" });
      await ours.say("hello");
      await server.hears("hello");
      flip = true;
      if (name.startsWith("GnuTLS")) await ours.say("echo this");
      else await server.say("this will be damaged");
      const failure = await ours.ending();
      assert.equal(failure?.reason, "bad-record");
      assert.equal(failure?.fault, "authentication");
      assert.equal(failure?.byPeer, false);
    });

    test(`${name} says bad_record_mac of a record of ours that was altered, and we hear it`, async () => {
      let flip = false;
      await using server = await strangers[name].serve({ version: "1.3" });
      await using relay = await Relay.to(server.port, (direction, bytes) => {
        if (flip && direction === "to server") bytes[bytes.length - 1]! ^= 1;
        return bytes;
      });
      await using ours = connectOurs(relay.port, { version: "1.3" });
      await ours.say("hello");
      await server.hears("hello");
      flip = true;
      await ours.say("this will be damaged");
      const failure = await ours.ending();
      assert.equal(failure?.at, "bad_record_mac");
      assert.equal(failure?.byPeer, true);
    });
  }

  test("a server whose authority nobody knows is refused, and it learns why", async () => {
    await using server = await strangers["OpenSSL 3.0"].serve({ identity: "stranger" });
    await using ours = connectOurs(server.port, {});
    const failure = await ours.ending();
    assert.equal(failure?.reason, "unknown-authority");
    await server.program.says(/alert unknown ca/);
  });

  test("a server of another name is refused", async () => {
    await using server = await strangers["OpenSSL 3.0"].serve({});
    await using ours = connectOurs(server.port, { serverName: "elsewhere.sealport.test" });
    assert.equal((await ours.ending())?.reason, "wrong-name");
    await server.program.says(/alert bad certificate/);
  });

  for (const version of versions) {
    test(`a client without the certificate that TLS ${version} requires of it is told so by OpenSSL`, async () => {
      await using server = await strangers["OpenSSL 3.0"].serve({ version, askClient: "required" });
      await using ours = connectOurs(server.port, { version });
      const failure = await ours.ending();
      assert.equal(failure?.byPeer, true);
      assert.equal(failure?.at, version === "1.3" ? "certificate_required" : "handshake_failure");
    });

    test(`our TLS ${version} server tells a client that it wants a certificate`, async () => {
      await using server = await OurServer.start({ version, askClient: "required" });
      await using client = strangers["OpenSSL 3.0"].connect(server.port, { version });
      const failure = await (await server.next()).ending();
      assert.equal(failure?.byPeer, false);
      await client.program.says(version === "1.3" ? /alert certificate required/ : /alert/);
    });

    test(`our TLS ${version} server refuses the certificate of an authority that nobody knows`, async () => {
      await using server = await OurServer.start({ version, askClient: "required" });
      await using client = strangers["OpenSSL 3.0"].connect(server.port, { version, identity: "stranger" });
      assert.equal((await (await server.next()).ending())?.reason, "unknown-authority");
      await client.program.says(/alert unknown ca/);
    });
  }

  test("no common protocol name ends with no_application_protocol on both sides", async () => {
    await using server = await OurServer.start({ alpn: ["h2"] });
    await using client = strangers["OpenSSL 3.0"].connect(server.port, { alpn: ["http/1.1"] });
    assert.equal((await (await server.next()).ending())?.reason, "no-common-application-protocol");
    await client.program.says(/alert no application protocol/);
  });

  test("versions before 1.2 are refused with protocol_version", async () => {
    await using server = await OurServer.start({});
    await using client = strangers["OpenSSL 3.0"].connect(server.port, {
      args: ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
    });
    assert.equal((await (await server.next()).ending())?.reason, "no-common-version");
    await client.program.says(/alert protocol version/);
  });

  for (const [what, args, suites, reason] of [
    [
      "extended_main_secret (RFC 7627)",
      ["-no_ems"],
      ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"],
      "no-extended-main-secret",
    ],
    [
      "encrypt_then_mac (RFC 7366) for a CBC suite",
      ["-no_etm"],
      ["TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"],
      "no-encrypt-then-mac",
    ],
  ] as const) {
    test(`a TLS 1.2 server without ${what} is refused`, async () => {
      await using server = await strangers["OpenSSL 3.5"].serve({ version: "1.2", suites, args });
      await using ours = connectOurs(server.port, { version: "1.2", suites });
      const failure = await ours.ending();
      assert.equal(failure?.byPeer, false);
      assert.equal(failure?.reason, reason);
    });

    test(`a TLS 1.2 client without ${what} is refused`, async () => {
      await using server = await OurServer.start({ version: "1.2", suites });
      await using client = strangers["OpenSSL 3.5"].connect(server.port, { version: "1.2", suites, args });
      const failure = await (await server.next()).ending();
      assert.equal(failure?.byPeer, false);
      assert.equal(failure?.fault, "incompatible");
      await client.program.says(/alert handshake failure/);
    });
  }

  if (versions.includes("1.2"))
    test("a renegotiation that OpenSSL begins in TLS 1.2 is refused, and the conversation goes on or ends by its choice", async () => {
      await using server = await OurServer.start({ version: "1.2" });
      await using client = strangers["OpenSSL 3.0"].connect(server.port, { version: "1.2" });
      const ours = await server.next();
      await client.say("before");
      await ours.hears("before");
      await client.say("R");
      await client.program.says(/RENEGOTIATING[\s\S]*(no renegotiation|alert)/i);
      const { keyGenerationReceived } = ours.session.statistics;
      assert.equal(keyGenerationReceived, 0);
    });
});
