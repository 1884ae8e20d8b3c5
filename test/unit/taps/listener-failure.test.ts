import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../../../src/bytes/index.js";
import { networkFailure } from "../../../src/contract/index.js";
import {
  type Connection,
  disabled,
  EstablishmentError,
  type SecurityInit,
  secure,
  TransportProperties,
  unreliableDatagram,
} from "../../../src/taps/index.js";
import { neighbours, vouchedFor } from "../../support/taps.js";

/** Listeners whose port is taken from them: they say so, and do not wait for ever. */

const { root, identity } = vouchedFor("server.test");
const gone = networkFailure("network-failed", "the interface is gone");

const protocol = (name: "QUIC" | "TLS" | "DTLS"): [client: SecurityInit, server: SecurityInit] => {
  const common = { allowed: [name], alpn: ["test"] } as const;
  return [common, { ...common, identity }];
};

/** A port is taken from under a Listener that serves a Connection. */
async function taken(name: "QUIC" | "TLS" | "DTLS"): Promise<void> {
  const [client, server] = protocol(name);
  const transport = name === "DTLS" ? unreliableDatagram : undefined;
  const both = neighbours({ roots: [root] });
  const properties = transport === undefined ? {} : { transport };
  await both.world.finish(
    (async () => {
      const listener = await both.server
        .preconnection({ local: { port: 443 }, security: secure(server), ...properties })
        .listen();
      const told: unknown[] = [];
      listener.on("establishmentError", (error) => told.push(error));
      listener.on("stopped", () => told.push("stopped"));
      const served: Connection[] = [];
      const serving = listener.serve(async (connection) => {
        served.push(connection);
        for await (const message of connection) assert.ok(message.data.length > 0);
      });
      serving.catch(() => undefined);
      const connection = await both.client
        .preconnection({ remote: { host: "server.test", port: 443 }, security: secure(client), ...properties })
        .connect();
      await connection.send(utf8("hello"));
      await both.world.run(200);
      assert.equal(served.length, 1);
      both.serverHost.network.failPort(443, gone);
      // What was accepted over TCP lives on, and its handler is waited for.
      connection.abort();
      await assert.rejects(serving, (error) => error instanceof EstablishmentError && rootOf(error) === gone);
      await listener.stopped;
      await assert.rejects(listener.accept(), EstablishmentError);
      assert.equal(told.length, 2);
      assert.ok(told[0] instanceof EstablishmentError && told[1] === "stopped");
    })(),
  );
}

test("a Listener whose port is taken says so by an EstablishmentError, and its loops end with it", async () => {
  for (const name of ["QUIC", "TLS", "DTLS"] as const) await taken(name);
});

test("cleartext UDP and TCP tell the same; a Listener that was stopped ends quietly", async () => {
  const both = neighbours();
  await both.world.finish(
    (async () => {
      for (const [port, transport] of [
        [7, new TransportProperties()],
        [8, unreliableDatagram],
      ] as const) {
        const listener = await both.server.preconnection({ local: { port }, security: disabled(), transport }).listen();
        const waiting = listener.accept();
        both.serverHost.network.failPort(port, gone);
        await assert.rejects(waiting, (error) => error instanceof EstablishmentError && rootOf(error) === gone);
        const again = await both.server.preconnection({ local: { port }, security: disabled(), transport }).listen();
        again.on("establishmentError", () => assert.fail("it was stopped"));
        const last = again.accept();
        await again.stop();
        assert.equal(await last, undefined);
      }
    })(),
  );
});

function rootOf(error: Error): unknown {
  return error.cause instanceof Error && error.cause !== gone ? rootOf(error.cause) : error.cause;
}
