import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concat, utf8 } from "../../../../src/bytes/index.js";
import { Secret } from "../../../../src/contract/index.js";
import { seededEntropy } from "../../../../src/crypto/index.js";
import {
  chooseConfig,
  type EchKey,
  makeEchKey,
  readEchConfigs,
  writeEchConfigs,
} from "../../../../src/protocols/tls/ech/config.js";
import type { EchRetry } from "../../../../src/protocols/tls/ech/required.js";
import type { PeerAsk, TlsClientOptions, TlsServerOptions } from "../../../../src/protocols/tls/index.js";
import { provider as crypto } from "../../../support/provider.js";
import {
  concatAll,
  type PairOptions,
  resumption,
  type Side,
  shake,
  type TlsPair,
  trusting,
} from "../../../support/tls-pair.js";

const keyOf = (configId: number, seed = configId): EchKey =>
  makeEchKey({ crypto, entropy: seededEntropy(`ech ${seed}`), publicName: "front.test", configId });
const key = keyOf(7);
const list = writeEchConfigs([key.config]);
const hidden = { serverName: "secret.test", alpn: ["h2"], encryptedClientHello: list } as const;

const run = (client: TlsClientOptions, server: TlsServerOptions, more: PairOptions = {}): Promise<TlsPair> =>
  shake({ client: { ...hidden, ...client }, server: { echKeys: [key], alpn: ["h2"], ...server }, ...more });

const sees = (bytes: Uint8Array, text: string): boolean => Buffer.from(bytes).includes(text);
const wire = (pair: TlsPair): Uint8Array => concatAll([...pair.client.sent, ...pair.server.sent]);

function accepted(pair: TlsPair): TlsPair {
  assert.equal(pair.client.failure, undefined, pair.client.failure?.message);
  assert.equal(pair.server.failure, undefined, pair.server.failure?.message);
  for (const side of ["client", "server"] as const) {
    assert.equal(pair[side].outcome?.encryptedClientHello, "accepted");
    assert.equal(pair[side].outcome?.serverName, "secret.test");
    assert.equal(pair[side].outcome?.alpn, "h2");
  }
  assert.ok(!sees(wire(pair), "secret.test"), "the name was seen on the wire");
  assert.ok(sees(pair.client.sent[0]!, "front.test"));
  return pair;
}

test("a name and protocols behind ECH reach the server, and nobody else", async () => {
  const pair = accepted(await run({}, {}));
  await pair.send("client", "hello");
  assert.equal(pair.server.text, "hello");
});

test("ECH goes on through a HelloRetryRequest, with the same encryption", async () => {
  const pair = accepted(await run({ keyShares: ["x25519"] }, { groups: ["secp384r1"] }));
  assert.ok(pair.client.outcome?.retried);
});

test("a session is resumed behind ECH, with a decoy for the pre-shared key outside", async () => {
  const { client, server } = resumption();
  accepted(await run(client, server));
  const pair = accepted(await run(client, server, { seed: 2 }));
  assert.equal(pair.client.outcome?.mode, "resumed");
});

test("an external key behind ECH works too", async () => {
  const psks = [{ identity: utf8("me and nobody else"), key: new Secret(new Uint8Array(32).fill(5)) }];
  const pair = accepted(await run({ psks }, { psks }));
  assert.equal(pair.client.outcome?.mode, "psk");
  assert.ok(!sees(wire(pair), "me and nobody else"));
});

test("a server with another key proves the public name and gives its own configurations", async () => {
  const newer = keyOf(8);
  const asked: (string | undefined)[] = [];
  const verify = (ask: PeerAsk) => {
    asked.push(ask.serverName);
    return trusting(ask);
  };
  const pair = await run({ verify }, { echKeys: [newer, { ...keyOf(9), advertised: false }] });
  assert.deepEqual(asked, ["front.test"]);
  const { failure } = pair.client;
  assert.equal(failure?.reason, "ech-required");
  assert.equal(failure.code, 121);
  assert.equal(pair.client.outcome, undefined);
  assert.equal(pair.server.failure?.byPeer, true);
  const { retryConfigs } = failure.cause as EchRetry;
  assert.deepEqual(retryConfigs, writeEchConfigs([newer.config]));
  accepted(await run({ encryptedClientHello: retryConfigs! }, { echKeys: [newer] }));
});

test("a key of the same number that is another key is told apart", async () => {
  const pair = await run({}, { echKeys: [keyOf(7, 99)] });
  assert.equal(pair.client.failure?.reason, "ech-required");
  accepted(await run({}, { echKeys: [keyOf(7, 99), key] }));
});

test("a server without ECH, of 1.3 or of 1.2, ends in ech-required and nothing to try again with", async () => {
  for (const versions of [["1.3"], ["1.2"], ["1.3", "1.2"]] as const) {
    const pair = await shake({ client: hidden, server: { versions, alpn: ["h2"] } });
    assert.equal(pair.client.failure?.reason, "ech-required", versions.join());
    assert.deepEqual(pair.client.failure.cause, { retryConfigs: undefined });
  }
});

test("a rejection in a HelloRetryRequest is a rejection", async () => {
  const pair = await run({ keyShares: ["x25519"] }, { echKeys: [keyOf(8)], groups: ["secp384r1"] });
  assert.equal(pair.client.failure?.reason, "ech-required");
});

test("GREASE looks like ECH, and nothing comes of it", async () => {
  for (const server of [{}, { echKeys: [key] }, { groups: ["secp384r1"] }, { versions: ["1.2"] }] as const) {
    const pair = await shake({ client: { serverName: "plain.test", encryptedClientHello: "grease" }, server });
    assert.equal(pair.client.outcome?.encryptedClientHello, "not-offered");
    assert.equal(pair.server.failure, undefined);
  }
});

test("no bit of an outer ClientHello can be turned without its end, or the end of ECH", async () => {
  const size = (await run({}, {})).client.sent[0]!.length;
  for (let at = 9; at < size; at += 11) {
    let first = true;
    const onTheWay = (from: Side, bytes: Uint8Array): Uint8Array => {
      if (from === "client" && first) bytes[at]! ^= 1 << (at & 7);
      if (from === "client") first = false;
      return bytes;
    };
    const pair = await run({}, {}, { onTheWay });
    assert.equal(pair.client.outcome, undefined, `byte ${at}`);
    assert.equal(pair.server.outcome, undefined, `byte ${at}`);
    assert.notEqual(pair.server.failure?.reason, "internal-error");
  }
});

test("configurations that we cannot use are passed over", async () => {
  const other = concat(Uint8Array.of(0xfe, 0x0a, 0, 2, 1, 2));
  assert.equal(readEchConfigs(writeEchConfigs([other, key.config])).length, 1);
  assert.equal(chooseConfig(crypto, writeEchConfigs([other])), undefined);
  accepted(await run({ encryptedClientHello: writeEchConfigs([other, key.config]) }, {}));
  for (const publicName of ["1.2.3.4", "a..b", "", "x".repeat(64), "under_score.test", "front.0x1f"]) {
    assert.throws(() => makeEchKey({ crypto, entropy: seededEntropy(1), publicName, configId: 1 }), {
      fault: "misuse",
    });
  }
});

test("options that make no sense are misuse", () => {
  assert.throws(() => run({ encryptedClientHello: utf8("?") }, {}), { fault: "misuse" });
  assert.throws(() => run({}, { echKeys: [{ ...key, config: utf8("?") }] }), { fault: "misuse" });
  assert.throws(() => run({}, { cookieKey: new Secret(new Uint8Array(32)) }), { fault: "misuse" });
});

test("no prefix of a configuration list is one, and nothing that comes as one throws anything else", () => {
  for (let size = 0; size < list.length; size++) {
    assert.throws(() => readEchConfigs(list.subarray(0, size)), { name: "DecodeError" });
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      try {
        chooseConfig(crypto, bytes);
      } catch (error) {
        assert.equal((error as Error).name, "DecodeError");
      }
    }),
    { seed: 20260706, numRuns: 500 },
  );
});
