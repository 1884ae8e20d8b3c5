import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { clientOptions, connectOurs, OurServer } from "./ours.js";
import { authority, strangers } from "./peers/index.js";

describe("authentication after the handshake (RFC 9846 §4.7.2)", { concurrency: 2 }, () => {
  for (const name of ["OpenSSL 3.0", "OpenSSL 3.5"] as const) {
    test(`our client answers ${name} when it asks later`, async () => {
      await using server = await strangers[name].serve({
        version: "1.3",
        args: ["-CAfile", authority()],
      });
      const { identity } = clientOptions({ identity: "client" });
      await using ours = connectOurs(
        server.port,
        { version: "1.3" },
        { client: { postHandshakeAuthentication: true, ...(identity ? { identity } : {}) } },
      );
      await ours.say("before");
      await server.hears("before");
      await server.say("c");
      await server.program.says(/client\.sealport\.test/);
      await ours.say("after");
      await server.hears("after");
    });

    test(`our server asks ${name} later`, async () => {
      await using server = await OurServer.start({ version: "1.3" });
      await using client = strangers[name].connect(server.port, {
        version: "1.3",
        identity: "client",
        args: ["-enable_pha"],
      });
      const ours = await server.next();
      await client.say("before");
      await ours.hears("before");
      assert.equal(ours.session.peer, undefined);
      ours.session.requestAuthentication();
      await client.say("after");
      await ours.tells("authenticated certificate");
      await ours.hears("after");
    });
  }

  test("our server asks GnuTLS later", async () => {
    await using server = await OurServer.start({ version: "1.3" });
    await using client = strangers["GnuTLS 3.8"].connect(server.port, {
      version: "1.3",
      identity: "client",
      args: ["--post-handshake-auth"],
    });
    const ours = await server.next();
    await client.say("before");
    await ours.hears("before");
    ours.session.requestAuthentication();
    await ours.tells("authenticated certificate");
    await client.say("after");
    await ours.hears("after");
  });

  test("asking a client that did not offer it is a mistake of ours, not of the peer's", async () => {
    await using server = await OurServer.start({ version: "1.3" });
    await using client = strangers["OpenSSL 3.0"].connect(server.port, { version: "1.3" });
    const ours = await server.next();
    await client.say("before");
    await ours.hears("before");
    assert.throws(() => ours.session.requestAuthentication(), { fault: "misuse" });
    await client.say("after");
    await ours.hears("after");
  });
});
