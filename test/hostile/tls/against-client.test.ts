import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { alertName } from "../../../src/protocols/tls/index.js";
import { connectOurs } from "../../interop/ours.js";
import { strangers } from "../../interop/peers/index.js";
import { answers } from "./answers.js";
import { records, sessionIdOf, types } from "./bytes.js";
import { RawServer, RawSocket } from "./raw.js";

describe("our client, answered by servers that are none", { concurrency: 4 }, () => {
  for (const { what, send, answer } of answers) {
    test(`${what} is answered with ${answer}`, async () => {
      let alerted = false;
      await using server = await RawServer.start(async (raw) => {
        await raw.until("ClientHello", () => records(raw.received).length > 0);
        raw.send(...send(sessionIdOf(raw.received)));
        if (answer === "close") raw.socket.end();
        await raw.until("alert", () =>
          records(raw.received)
            .slice(1)
            .some(({ type }) => type === types.alert || type === types.applicationData),
        );
        alerted = true;
        raw.socket.end();
      });
      await using ours = connectOurs(server.port, {
        groups: ["x25519", "secp256r1"],
        suites: ["TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"],
      });
      const failure = await ours.ending();
      assert.ok(failure, "it must fail");
      if (answer === "close") return;
      assert.equal(failure.byPeer, false);
      assert.equal(alertName(failure.code ?? -1), answer);
      assert.ok(alerted, "the alert was never sent");
    });
  }

  test("bytes after a fatal alert of ours are not looked at", async () => {
    await using server = await RawServer.start(async (raw) => {
      await raw.until("ClientHello", () => records(raw.received).length > 0);
      for (let i = 0; i < 1000; i++) raw.send(Buffer.from("garbage in great numbers\n"));
    });
    await using ours = connectOurs(server.port, {});
    const failure = await ours.ending();
    assert.equal(failure?.reason, "unknown-record-type");
    assert.deepEqual(
      ours.told.filter((what) => what === "closed"),
      ["closed"],
    );
  });
});

test("a server that floods its client with empty records is cut off at the first", async () => {
  await using server = await RawServer.start(async (raw) => {
    await raw.until("ClientHello", () => records(raw.received).length > 0);
    for (let i = 0; i < 10_000 && raw.socket.writable; i++) raw.send(Buffer.from("1603030000", "hex"));
  });
  await using ours = connectOurs(server.port, {});
  assert.equal((await ours.ending())?.fault, "misbehaviour");
});

test("our client outlives it all and reaches an honest server", async () => {
  await using server = await strangers["OpenSSL 3.0"].serve({});
  await using ours = connectOurs(server.port, {});
  await ours.say("still here");
  await server.hears("still here");
});

test("a raw socket of the harness reaches a stranger", async () => {
  await using server = await strangers["OpenSSL 3.0"].serve({});
  await using raw = await RawSocket.to(server.port);
  raw.send(Buffer.from("GET / HTTP/1.0\r\n\r\n"));
  await raw.verdict();
});
