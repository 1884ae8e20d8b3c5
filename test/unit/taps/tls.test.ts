import assert from "node:assert/strict";
import { test } from "node:test";
import { fromUtf8, utf8 } from "../../../src/bytes/index.js";
import {
  type Connection,
  disabled,
  EstablishmentError,
  type Listener,
  lengthPrefixed,
  opportunistic,
  type SecurityInit,
  secure,
  TransportProperties,
} from "../../../src/taps/index.js";
import { type Neighbours, neighbours, vouchedFor } from "../../support/taps.js";

const { root, identity } = vouchedFor("server.test");
const remote = { host: "server.test", port: 443 };
const local = { port: 443 };

/** A server that sends back what it gets; its Listener. */
async function echo(
  { server }: Neighbours,
  init: SecurityInit = {},
  transport = new TransportProperties(),
): Promise<Listener> {
  const listener = await server.preconnection({ local, security: secure({ identity, ...init }), transport }).listen();
  void listener.serve(async (connection) => {
    for await (const { data, final } of connection) {
      if (data.length > 0) await connection.send(data);
      if (final) return;
    }
  });
  return listener;
}

async function exchange(connection: Connection, text: string): Promise<string> {
  await connection.send(utf8(text));
  return fromUtf8((await connection.receive()).data)!;
}

test("a secure Preconnection with nothing but trust set becomes a TLS 1.3 Connection, and echoes", async () => {
  const both = neighbours({ roots: [root] });
  await both.world.finish(
    (async () => {
      const listener = await echo(both);
      assert.deepEqual(listener.stacks, ["TLS/TCP"]);
      const connection = await both.client.preconnection({ remote }).connect();
      assert.equal(connection.stack, "TLS/TCP");
      assert.equal(connection.security?.outcome?.version, "1.3");
      assert.equal(connection.security?.peer?.kind, "certificate");
      assert.equal(await exchange(connection, "hello"), "hello");
      await connection.close();
      assert.equal(connection.state, "closed");
      await listener.stop();
    })(),
  );
});

test("a peer that nobody vouches for is an authentication failure, and the next address changes nothing of it", async () => {
  const both = neighbours();
  await both.world.finish(
    (async () => {
      await echo(both);
      await assert.rejects(both.client.preconnection({ remote }).connect(), (error: unknown) => {
        assert.ok(error instanceof EstablishmentError);
        assert.equal(error.fault, "authentication");
        assert.equal(error.reason, "establishment-failed");
        return true;
      });
    })(),
  );
});

test("allowed versions bind both ends: 1.2 alone gives 1.2, and disjoint versions fail as incompatible", async () => {
  const both = neighbours({ roots: [root] });
  await both.world.finish(
    (async () => {
      await echo(both, { allowed: ["TLS 1.2", "TLS 1.3"] });
      const older = await both.client.preconnection({ remote, security: secure({ allowed: ["TLS 1.2"] }) }).connect();
      assert.equal(older.security?.outcome?.version, "1.2");
      await older.close();
      const strict = await both.server
        .preconnection({ local: { port: 444 }, security: secure({ identity, allowed: ["TLS 1.3"] }) })
        .listen();
      const failing = both.client
        .preconnection({ remote: { ...remote, port: 444 }, security: secure({ allowed: ["TLS 1.2"] }) })
        .connect();
      await assert.rejects(
        failing,
        (error: unknown) => error instanceof EstablishmentError && error.fault === "incompatible",
      );
      await strict.stop();
    })(),
  );
});

test("alpn and groups reach the handshake", async () => {
  const both = neighbours({ roots: [root] });
  await both.world.finish(
    (async () => {
      await echo(both, { alpn: ["b", "a"] });
      const security = secure({
        alpn: ["a", "b"],
        groups: ["secp384r1"],
        ciphersuites: ["TLS_CHACHA20_POLY1305_SHA256"],
      });
      const connection = await both.client.preconnection({ remote, security }).connect();
      const outcome = connection.security!.outcome!;
      assert.deepEqual(
        [outcome.alpn, outcome.group, outcome.suite],
        ["b", "secp384r1", "TLS_CHACHA20_POLY1305_SHA256"],
      );
      await connection.close();
    })(),
  );
});

test("options that TLS refuses fail the Listener and the leaf, before any peer and without an exception at large", async () => {
  const both = neighbours({ roots: [root] });
  await both.world.finish(
    (async () => {
      const protocolOptions = { TLS: { recordSizeLimit: 1 } };
      const failing = both.server.preconnection({ local, security: secure({ identity, protocolOptions }) }).listen();
      await assert.rejects(failing, EstablishmentError);
      await assert.rejects(
        both.client.preconnection({ remote, security: secure({ protocolOptions }) }).connect(),
        (error: unknown) => error instanceof EstablishmentError && error.fault === "misuse",
      );
    })(),
  );
});

test("signatureAlgorithms bound what the peer may sign with", async () => {
  const both = neighbours({ roots: [root] });
  await both.world.finish(
    (async () => {
      await echo(both);
      const connect = (...signatureAlgorithms: NonNullable<SecurityInit["signatureAlgorithms"]>) =>
        both.client.preconnection({ remote, security: secure({ signatureAlgorithms }) }).connect();
      const connection = await connect("ecdsa_secp256r1_sha256");
      assert.ok(connection.security?.protocol === "TLS");
      assert.equal(connection.security.outcome!.peerScheme, "ecdsa_secp256r1_sha256");
      await connection.close();
      await assert.rejects(connect("ed25519"), EstablishmentError);
    })(),
  );
});

test("a name that TLS does not know excludes the stack with a suggestion", async () => {
  const { client } = neighbours();
  const tree = await client
    .preconnection({ remote: { address: "192.0.2.2", port: 1 }, security: secure({ groups: ["x25518" as "x25519"] }) })
    .candidates();
  const why = tree.children[0]!.children.find(({ name }) => name === "TLS/TCP")!.verdict;
  assert.deepEqual(why, { state: "excluded", why: "TLS knows no supportedGroup x25518; did you mean x25519?" });
});

test("the application's verification is asked with the validated chain and may refuse it", async () => {
  const both = neighbours({ roots: [root] });
  await both.world.finish(
    (async () => {
      await echo(both);
      const asked: unknown[] = [];
      const security = secure({
        verify: async ({ serverName, validated, peer }) => {
          asked.push([serverName, validated, peer.kind]);
          return asked.length > 1;
        },
      });
      const one = { remote: { ...remote, address: "192.0.2.2", host: "server.test" }, security };
      await assert.rejects(
        both.client.preconnection(one).connect(),
        (error: unknown) => (error as EstablishmentError).fault === "refused",
      );
      const connection = await both.client.preconnection(one).connect();
      assert.deepEqual(asked, [
        ["server.test", true, "certificate"],
        ["server.test", true, "certificate"],
      ]);
      await connection.close();
    })(),
  );
});

test("pins: the right key is trusted without any authority, a wrong one fails", async () => {
  const both = neighbours();
  await both.world.finish(
    (async () => {
      await echo(both);
      const pinned = secure({ trust: [], pins: [identity.certificates[0]!] });
      const connection = await both.client.preconnection({ remote, security: pinned }).connect();
      await connection.close();
      const right = secure({ trust: [root], pins: [root] });
      await (await both.client.preconnection({ remote, security: right }).connect()).close();
      const stranger = secure({ trust: [root], pins: [new Uint8Array(91).fill(1)] });
      await assert.rejects(both.client.preconnection({ remote, security: stranger }).connect(), EstablishmentError);
    })(),
  );
});

test("a client certificate is asked for, shown, and signed by the identity challenge", async () => {
  const both = neighbours({ roots: [root] });
  await both.world.finish(
    (async () => {
      const listener = await both.server
        .preconnection({
          local,
          security: secure({
            identity: { server: identity },
            clientAuthentication: "require",
            trust: [],
            verify: () => true,
          }),
        })
        .listen();
      const challenges: string[] = [];
      const security = secure({
        identity: { client: identity },
        sign: (request) => {
          challenges.push(request.algorithm);
          return request.identity.sign(request.algorithm, request.message) as Uint8Array;
        },
      });
      const connection = await both.client.preconnection({ remote, security }).connect();
      const accepted = (await listener.accept())!;
      assert.equal(accepted.security?.peer?.kind, "certificate");
      assert.equal(challenges.length, 1);
      await Promise.all([connection.close(), accepted.close()]);
    })(),
  );
});

test("an identity for the server's role is never shown by a client", async () => {
  const both = neighbours({ roots: [root] });
  await both.world.finish(
    (async () => {
      await both.server
        .preconnection({ local, security: secure({ identity, clientAuthentication: "require", trust: [root] }) })
        .listen();
      const security = secure({ identity: { server: identity } });
      const connection = both.client.preconnection({ remote, security }).initiate();
      await connection.ready.catch(() => {});
      await assert.rejects(connection.closed, (error: unknown) =>
        /certificate.required|certificate_required/i.test(String(error)),
      );
    })(),
  );
});

test("a pre-shared key is enough for both ends", async () => {
  const both = neighbours();
  await both.world.finish(
    (async () => {
      const preSharedKeys = [{ identity: "office", key: new Uint8Array(32).fill(5) }];
      const listener = await both.server.preconnection({ local, security: secure({ preSharedKeys }) }).listen();
      const connection = await both.client.preconnection({ remote, security: secure({ preSharedKeys }) }).connect();
      assert.equal(connection.security?.outcome?.mode, "psk");
      await connection.close();
      await listener.stop();
    })(),
  );
});

test("sessions are resumed between Connections, but not where the session is isolated or none are cached", async () => {
  const both = neighbours({ roots: [root] });
  await both.world.finish(
    (async () => {
      await echo(both);
      const modes: (string | undefined)[] = [];
      const visit = async (transport: TransportProperties, security = secure()) => {
        const connection = await both.client.preconnection({ remote, transport, security }).connect();
        await exchange(connection, "x");
        modes.push(connection.security?.outcome?.mode);
        await connection.close();
      };
      const shared = new TransportProperties();
      await visit(shared);
      await visit(shared);
      await visit(shared.with({ isolateSession: true }));
      await visit(shared, secure({ maxCachedSessions: 0 }));
      // Another trust is another configuration: its sessions are not shared.
      await visit(shared, secure({ trust: [root] }));
      await visit(shared);
      assert.deepEqual(modes, ["full", "resumed", "full", "full", "full", "resumed"]);
    })(),
  );
});

test("a cached session is not resumed after cachedSessionLifetimeSeconds", async () => {
  const both = neighbours({ roots: [root] });
  await both.world.finish(
    (async () => {
      await echo(both);
      const modes: (string | undefined)[] = [];
      for (const pause of [0, 5_000, 11_000]) {
        await new Promise<void>((resolve) => both.clientHost.wakeAt(both.clientHost.now() + pause, resolve));
        const security = secure({ cachedSessionLifetimeSeconds: 10 });
        const connection = await both.client.preconnection({ remote, security }).connect();
        await exchange(connection, "x");
        modes.push(connection.security?.outcome?.mode);
        await connection.close();
      }
      assert.deepEqual(modes, ["full", "resumed", "full"]);
    })(),
  );
});

test("InitiateWithSend carries a safely replayable Message as 0-RTT, flagged early at the receiver, and no other", async () => {
  const both = neighbours({ roots: [root], link: { delayMs: 50 } });
  await both.world.finish(
    (async () => {
      const transport = new TransportProperties().prefer("zeroRttMsg");
      const listener = await both.server.preconnection({ local, security: secure({ identity }), transport }).listen();
      const visit = async (safelyReplayable: boolean) => {
        const started = both.clientHost.now();
        const connection = both.client
          .preconnection({ remote, transport })
          .initiateWithSend(utf8("GET"), { safelyReplayable });
        const accepted = (await listener.accept())!;
        const { data, context } = await accepted.receive();
        const took = both.clientHost.now() - started;
        await accepted.send(utf8("OK"));
        assert.equal(fromUtf8((await connection.receive()).data), "OK");
        const { earlyData } = connection.security!.outcome!;
        await Promise.all([connection.close(), accepted.close()]);
        return { text: fromUtf8(data), early: context.metadata.early ?? false, earlyData, took };
      };
      const first = await visit(true);
      assert.deepEqual([first.text, first.early, first.earlyData], ["GET", false, "not-offered"]);
      // A strike register that has just begun cannot know what it has not seen (RFC 9846 §8.2).
      await new Promise<void>((resolve) => both.clientHost.wakeAt(both.clientHost.now() + 11_000, resolve));
      const second = await visit(true);
      assert.deepEqual([second.text, second.early, second.earlyData], ["GET", true, "accepted"]);
      const third = await visit(false);
      assert.deepEqual([third.text, third.early, third.earlyData], ["GET", false, "not-offered"]);
    })(),
  );
});

test("0-RTT that is refused under another ALPN is not lost: the Message follows the handshake", async () => {
  const both = neighbours({ roots: [root] });
  await both.world.finish(
    (async () => {
      const transport = new TransportProperties().prefer("zeroRttMsg");
      const security = secure({ alpn: ["a", "b"] });
      const visit = async (listener: Listener) => {
        const connection = both.client
          .preconnection({ remote, transport, security })
          .initiateWithSend(utf8("GET"), { safelyReplayable: true });
        const accepted = (await listener.accept())!;
        assert.equal(fromUtf8((await accepted.receive({ min: 3 })).data), "GET");
        await accepted.send(utf8("OK"));
        await connection.receive();
        await Promise.all([connection.close(), accepted.close()]);
        return [connection.security!.outcome!.earlyData, connection.security!.outcome!.alpn];
      };
      const serving = (alpn: string) =>
        both.server.preconnection({ local, security: secure({ identity, alpn: [alpn] }), transport }).listen();
      const first = await serving("a");
      assert.deepEqual(await visit(first), ["not-offered", "a"]);
      await first.stop();
      // Another server in its place: other ticket keys, another protocol.
      assert.deepEqual(await visit(await serving("b")), ["rejected", "b"]);
    })(),
  );
});

test("opportunistic security takes any certificate, and cleartext only where the peer has no TLS at all", async () => {
  const both = neighbours();
  await both.world.finish(
    (async () => {
      await echo(both);
      const plain = await both.server.preconnection({ local: { port: 80 }, security: disabled() }).listen();
      void plain.serve(async (connection) => {
        // A server without TLS hangs up on a ClientHello.
        const { data } = await connection.receive();
        if (data[0] === 0x16) connection.abort();
        else await connection.send(data);
      });
      const secured = await both.client.preconnection({ remote, security: opportunistic() }).connect();
      assert.equal(secured.stack, "TLS/TCP");
      await secured.close();
      const open = await both.client
        .preconnection({ remote: { ...remote, port: 80 }, security: opportunistic() })
        .connect();
      assert.equal(open.stack, "TCP");
      assert.equal(await exchange(open, "in the clear"), "in the clear");
      await open.close();
      // The same server, asked for security: no way.
      await assert.rejects(
        both.client.preconnection({ remote: { ...remote, port: 80 } }).connect(),
        EstablishmentError,
      );
    })(),
  );
});

test("the session's interfaces are at hand: exporters agree, keys are updated in the middle", async () => {
  const both = neighbours({ roots: [root] });
  await both.world.finish(
    (async () => {
      const listener = await both.server
        .preconnection({ local, security: secure({ identity }), framers: [lengthPrefixed()] })
        .listen();
      const connection = await both.client.preconnection({ remote, framers: [lengthPrefixed()] }).connect();
      const accepted = (await listener.accept())!;
      assert.ok(connection.security?.protocol === "TLS" && accepted.security?.protocol === "TLS");
      assert.deepEqual(
        connection.security.exportKey("EXPORTER-test", 32),
        accepted.security.exportKey("EXPORTER-test", 32),
      );
      connection.security.updateKeys({ requestPeer: true });
      await connection.send(utf8("after"));
      assert.equal(fromUtf8((await accepted.receive()).data), "after");
      const { security } = accepted;
      assert.ok(security?.protocol === "TLS");
      assert.equal(security.statistics.keyGenerationReceived, 1);
      await Promise.all([connection.close(), accepted.close()]);
    })(),
  );
});
