import assert from "node:assert/strict";
import { test } from "node:test";
import { fromUtf8, toHex, utf8 } from "../../../src/bytes/index.js";
import { simulate } from "../../../src/hosts/simulator/index.js";
import {
  type Connection,
  dial,
  disabled,
  EstablishmentError,
  opportunistic,
  protocolStacks,
  reliableInorderStream,
  type SecurityInit,
  secure,
  serve,
  TransportServices,
} from "../../../src/taps/index.js";
import { addresses, type EnoWorld, enoWorld } from "../../support/eno-world.js";
import { forge, readSegment, withoutOption } from "../../support/packets.js";
import { provider } from "../../support/provider.js";
import { neighbours } from "../../support/taps.js";

const url = `tcpcrypt://${addresses[1]}:7000`;

interface Place {
  readonly wire: EnoWorld;
  readonly client: TransportServices;
  readonly server: TransportServices;
  readonly accepted: Connection[];
}

async function withEcho(init: SecurityInit, run: (place: Place) => Promise<void>): Promise<void> {
  const world = simulate({ seed: 5, crypto: provider });
  const wire = await enoWorld(world);
  const [client, server] = wire.ends.map(
    ({ host, network }) => new TransportServices({ host, network, stacks: protocolStacks }),
  );
  const accepted: Connection[] = [];
  await world.finish(
    (async () => {
      const handler = async (connection: Connection) => {
        accepted.push(connection);
        for await (const { data } of connection) await connection.send(data);
        await connection.send(new Uint8Array(0), { final: true });
      };
      await using _ = await serve(server!, "tcpcrypt://*:7000", handler, init);
      await run({ wire, client: client!, server: server!, accepted });
    })(),
  );
}

async function all(connection: Connection): Promise<string> {
  let text = "";
  for await (const { data } of connection) text += fromUtf8(data);
  return text;
}

test("tcpcrypt: dial and serve make a Connection of bytes, and both ends have one session ID", () =>
  withEcho({}, async ({ client, accepted }) => {
    const connection = await dial(client, url);
    assert.equal(connection.stack, "tcpcrypt/TCP");
    await connection.send(utf8("hello, "));
    await connection.send(utf8("stranger"), { final: true });
    assert.equal(await all(connection), "hello, stranger");
    const [here, there] = [connection.security, accepted[0]?.security];
    assert.ok(here?.protocol === "tcpcrypt" && there?.protocol === "tcpcrypt");
    assert.ok(here.outcome?.encrypted && there.outcome?.encrypted);
    assert.equal(toHex(here.sessionId), toHex(there.sessionId));
    assert.deepEqual([here.outcome.role, there.outcome.role, here.isProven], ["A", "B", true]);
    await connection.close();
  }));

test("tcpcrypt: a second Connection resumes the first's session, unless none is to be kept", () =>
  withEcho({}, async ({ client }) => {
    const resumed = async (init: SecurityInit): Promise<boolean | undefined> => {
      const connection = await dial(client, url, init);
      await connection.send(utf8("x"), { final: true });
      await all(connection);
      await connection.close();
      const { security } = connection;
      return security?.protocol === "tcpcrypt" && security.outcome?.encrypted ? security.outcome.resumed : undefined;
    };
    assert.deepEqual([await resumed({}), await resumed({})], [false, true]);
    assert.equal(await resumed({ maxCachedSessions: 0 }), false);
  }));

test("tcpcrypt: its own words go by protocolOptions, and the application authenticates", () =>
  withEcho({}, async ({ client }) => {
    const asked: string[] = [];
    const authenticate = ({ sessionId }: { readonly sessionId: Uint8Array }) => {
      asked.push(toHex(sessionId));
      return asked.length === 1;
    };
    const init = { protocolOptions: { tcpcrypt: { teps: ["TCPCRYPT_ECDHE_P256"], authenticate } } };
    const connection = await dial(client, url, init);
    assert.ok(connection.security?.protocol === "tcpcrypt" && connection.security.outcome?.encrypted);
    assert.equal(connection.security.outcome.tep, "TCPCRYPT_ECDHE_P256");
    assert.equal(toHex(connection.security.sessionId), asked[0]);
    connection.abort();
    await assert.rejects(dial(client, url, init), EstablishmentError);
  }));

test("tcpcrypt: a stripped option is no Connection; who asked for opportunistic gets TCP, by its name", () =>
  withEcho({}, async ({ wire, client, server }) => {
    wire.meddle = (packet) => {
      const segment = readSegment(packet);
      return [forge({ ...segment, options: withoutOption(segment.options, 69) })];
    };
    await assert.rejects(dial(client, url), (error: unknown) => {
      assert.ok(error instanceof EstablishmentError);
      assert.match(JSON.stringify(error.candidates), /plain TCP/);
      return true;
    });
    const cleartext = { transport: reliableInorderStream, security: disabled() };
    await using listener = await server.preconnection({ local: { port: 7_001 }, ...cleartext }).listen();
    const pre = client.preconnection({
      remote: { host: addresses[1], port: 7_001 },
      transport: reliableInorderStream,
      security: opportunistic({ allowed: ["tcpcrypt"] }),
    });
    const connection = await pre.connect();
    assert.deepEqual([connection.stack, connection.security], ["TCP", undefined]);
    connection.abort();
    await listener.stop();
  }));

test("tcpcrypt: what its row leaves blank is refused by name, and so is a network whose TCP is not ours", async () => {
  await withEcho({}, async ({ client }) => {
    for (const [init, cell] of [
      [{ alpn: ["h2"] }, "EXT"],
      [{ verify: () => true }, "IV"],
      [{ trust: [] }, "IV"],
      [{ groups: ["x25519"] }, "teps"],
    ] as const satisfies readonly (readonly [SecurityInit, string])[]) {
      await assert.rejects(dial(client, url, init), (error: unknown) => {
        assert.ok(error instanceof EstablishmentError);
        assert.match(JSON.stringify(error.candidates), new RegExp(cell));
        return true;
      });
    }
  });
  const { client, world } = neighbours();
  const pre = client.preconnection({
    remote: { host: "192.0.2.2", port: 7_000 },
    transport: reliableInorderStream,
    security: secure({ allowed: ["tcpcrypt"] }),
  });
  await world.finish(
    assert.rejects(pre.connect(), (error: unknown) => {
      assert.ok(error instanceof EstablishmentError);
      assert.match(JSON.stringify(error.candidates), /TCP-ENO cannot be negotiated/);
      return true;
    }),
  );
});
