import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concat } from "../../../../src/bytes/index.js";
import { Failure } from "../../../../src/contract/index.js";
import { seededEntropy } from "../../../../src/crypto/index.js";
import { Authenticators } from "../../../../src/protocols/tls/authenticators.js";
import type { TlsVersion } from "../../../../src/protocols/tls/index.js";
import { provider as crypto } from "../../../support/provider.js";
import {
  identityFor,
  startOfTime as now,
  type Side,
  shake,
  type TlsPair,
  trusting,
} from "../../../support/tls-pair.js";

const p384 = identityFor("P-384");
const ed25519 = identityFor("Ed25519");

async function ends(version: TlsVersion, seed = 1) {
  const both = { versions: [version] } as const;
  const pair = await shake({ client: both, server: both, seed });
  return { client: endOf(pair, "client"), server: endOf(pair, "server") };
}

function endOf(pair: TlsPair, side: Side): Authenticators {
  const { machine, outcome } = pair[side];
  const { handshake } = machine;
  return new Authenticators(
    {
      role: side,
      outcome,
      exportKey: (label, length, context) => handshake.exportKey(label, length, context),
      channelBinding: (type) => handshake.channelBinding(type),
    },
    { crypto, entropy: seededEntropy(side), verify: trusting },
  );
}

const rejects = (promise: Promise<unknown>, reason?: string) =>
  assert.rejects(promise, (error) => error instanceof Failure && (reason === undefined || error.reason === reason));

for (const version of ["1.3", "1.2"] as const) {
  test(`in ${version}, either side proves another identity when it is asked to`, async () => {
    const { client, server } = await ends(version);
    for (const [asks, answers] of [
      [client, server],
      [server, client],
    ] as const) {
      const request = asks.request();
      const authenticator = await answers.authenticate(p384, request);
      const peer = await asks.validate(authenticator, now, request);
      assert.ok(peer?.kind === "certificate");
      assert.deepEqual(peer.publicKey.spki, p384.publicKey.spki);
    }
  });
}

test("a server proves an identity unasked, a client does not", async () => {
  const { client, server } = await ends("1.3");
  const peer = await client.validate(await server.authenticate(ed25519), now);
  assert.equal(peer?.kind, "certificate");
  await rejects(client.authenticate(ed25519), "misuse");
});

test("a client says for which name it asks", async () => {
  const { client, server } = await ends("1.3");
  assert.equal(server.read(client.request({ serverName: "other.test" })).serverName, "other.test");
  assert.equal(server.read(client.request()).serverName, undefined);
});

test("who has no identity declines, and cannot be made to have declined by another", async () => {
  const { client, server } = await ends("1.3");
  const request = client.request();
  const refusal = await server.authenticate(undefined, request);
  assert.equal(await client.validate(refusal, now, request), undefined);
  const turned = refusal.slice();
  turned[10]! ^= 1;
  await rejects(client.validate(turned, now, request), "bad-finished");
});

test("an authenticator is good for its session, its request and once", async () => {
  const { client, server } = await ends("1.3");
  const request = client.request();
  const authenticator = await server.authenticate(p384, request);
  await rejects(client.validate(authenticator, now, client.request()), "bad-finished");
  await rejects((await ends("1.3", 2)).client.validate(authenticator, now, request), "bad-finished");
  assert.ok(await client.validate(authenticator, now, request));
  await rejects(client.validate(authenticator, now, request), "wrong-request-context");
  await rejects(server.authenticate(p384, request), "misuse");
});

test("a request that comes back to who made it is no request", async () => {
  const { client } = await ends("1.3");
  const request = client.request();
  await rejects(client.authenticate(p384, request), "unexpected-message");
});

test("no bit of an authenticator can be turned", async () => {
  const { client, server } = await ends("1.3");
  const request = client.request();
  const authenticator = await server.authenticate(ed25519, request);
  for (let at = 0; at < authenticator.length; at++) {
    const turned = authenticator.slice();
    turned[at]! ^= 1 << (at & 7);
    await rejects(client.validate(turned, now, request));
  }
  for (let size = 0; size < authenticator.length; size++) {
    await rejects(client.validate(authenticator.subarray(0, size), now, request));
  }
  await rejects(client.validate(concat(authenticator, Uint8Array.of(0)), now, request));
});

test("whatever comes as a request or authenticator is refused with a failure", async () => {
  const { client, server } = await ends("1.3");
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 120 }), async (bytes) => {
      await rejects(client.validate(bytes, now));
      await rejects(server.authenticate(p384, bytes));
      assert.throws(() => server.read(bytes), Failure);
    }),
    { seed: 20260705, numRuns: 200 },
  );
});
