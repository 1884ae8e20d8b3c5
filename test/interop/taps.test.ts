import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { test } from "node:test";
import { fromUtf8, utf8 } from "../../src/bytes/index.js";
import type { Identity } from "../../src/contract/index.js";
import {
  dial,
  EstablishmentError,
  preconnection,
  secure,
  serve,
  TransportProperties,
  transportServices,
} from "../../src/index.js";
import { isPkiFailure, readPrivateKey } from "../../src/pki/index.js";
import { leaves } from "../support/taps.js";
import { authority, der, identity, type StrangerName, strangers } from "./peers/index.js";

const trust = [der(authority())[0]!];
const names: readonly StrangerName[] = ["OpenSSL 3.0", "OpenSSL 3.5", "GnuTLS 3.8", "node:tls"];

/** The identity that strangers' authority vouches for. */
function ours(): Identity {
  const files = identity("p256");
  const { crypto } = transportServices().host;
  const secret = readPrivateKey(readFileSync(files.key, "utf8"));
  if (isPkiFailure(secret)) throw secret;
  const key = crypto.privateKey(secret.expose())!;
  return {
    certificates: der(files.certificate),
    publicKey: key.publicKey,
    sign: (algorithm, message) => key.sign(algorithm, message),
  };
}

for (const name of names) {
  test(`dial and a Preconnection reach a real ${name} server`, async () => {
    // gnutls-serv says nothing of its own, but gives back what it gets.
    const isEcho = name.startsWith("GnuTLS");
    await using server = await strangers[name].serve({ mode: isEcho ? "echo" : "lines" });
    const url = `tls://localhost:${server.port}`;
    const dialled = await dial(url, { trust, timeout: 10_000 });
    assert.equal(dialled.stack, "TLS/TCP");
    await dialled.send(utf8("through dial\n"));
    const answer = isEcho ? "through dial" : "heard you";
    if (!isEcho) {
      await server.hears("through dial");
      await server.say(answer);
    }
    let heard = "";
    while (!heard.includes(answer)) heard += fromUtf8((await dialled.receive()).data);
    dialled.abort();
    const untrusting = preconnection({
      remote: { host: "localhost", port: server.port },
      security: secure({ trust: [] }),
    });
    await assert.rejects(untrusting.connect({ timeout: 10_000 }), (error: unknown) => {
      assert.ok(error instanceof EstablishmentError);
      assert.equal(error.fault, "authentication");
      assert.ok(leaves(error.candidates!).every(({ verdict }) => verdict.state === "failed"));
      return true;
    });
  });

  test(`serve is reached by a real ${name} client`, async () => {
    await using server = await serve(
      "tls://127.0.0.1:0",
      async (connection) => {
        for await (const { data, final } of connection) {
          if (data.length > 0) await connection.send(data);
          if (final) break;
        }
      },
      { identity: ours() },
    );
    await using client = strangers[name].connect(server.port, { mode: "lines", serverName: "localhost" });
    await client.say("there and back");
    await client.hears("there and back");
    await client.close();
  });
}

test("InitiateWithSend is 0-RTT with a real OpenSSL server", async () => {
  await using server = await strangers["OpenSSL 3.0"].serve({ version: "1.3", earlyDataMax: 16_384, mode: "lines" });
  const pre = preconnection({
    remote: { host: "localhost", port: server.port },
    security: secure({ trust }),
    transport: new TransportProperties().prefer("zeroRttMsg"),
  });
  const first = await pre.connect();
  await first.send(utf8("a full handshake\n"));
  await server.hears("a full handshake");
  await server.say("tickets are with you");
  await first.receive();
  first.abort();
  const second = pre.initiateWithSend(utf8("zero round trips\n"), { safelyReplayable: true });
  await second.ready;
  await server.hears("zero round trips");
  assert.equal(second.security!.outcome!.earlyData, "accepted");
  assert.equal(second.get("zeroRttMsg"), true);
  second.abort();
});

test("a name with two families reaches a server that has only one of them", async () => {
  // Localhost is both; only IPv4 listens.
  const server = createServer((socket) => socket.end("hello"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { readonly port: number };
  const connection = await dial(`tcp://localhost:${port}`, { timeout: 10_000 });
  assert.equal(connection.remoteEndpoint!.address, "127.0.0.1");
  assert.equal(fromUtf8((await connection.receive()).data), "hello");
  await connection.close();
  await new Promise((resolve) => server.close(resolve));
});
