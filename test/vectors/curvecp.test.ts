import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { concat, fromHex, toHex } from "../../src/bytes/index.js";
import { type Entropy, Secret } from "../../src/contract/index.js";
import { boxKey } from "../../src/crypto/index.js";
import { boxes, CurveCpPair } from "../support/curvecp-pair.js";
import { provider } from "../support/provider.js";

const read = <T>(name: string): T =>
  JSON.parse(readFileSync(new URL(`../../../test/vectors/data/${name}`, import.meta.url), "utf8")) as T;

type Values = Record<string, string> & {
  readonly hello: { readonly packet: string };
  readonly cookie: { readonly packet: string; readonly compressedNonce: string };
  readonly vouch: { readonly compressedNonce: string };
  readonly initiate: { readonly packet: string };
  readonly serverMessage: { readonly packet: string };
  readonly clientMessage: { readonly packet: string };
};

test("the key of a box is that of NaCl's crypto_box_beforenm, from either side", () => {
  const { aliceSecret, alicePublic, bobSecret, bobPublic, beforenm, nonce, message, boxed } =
    read<Record<string, string>>("nacl/box.json");
  const hex = (text: string | undefined) => fromHex(text!);
  const key = boxKey(provider, new Secret(hex(aliceSecret)), hex(bobPublic))!;
  assert.equal(toHex(key.expose()), beforenm);
  assert.equal(toHex(boxKey(provider, new Secret(hex(bobSecret)), hex(alicePublic))!.expose()), beforenm);
  assert.equal(toHex(boxes.seal(key, hex(nonce), hex(message))), boxed);
  const box = hex(boxed);
  assert.deepEqual(boxes.open(key, hex(nonce), box, 0, box.length), hex(message));
  assert.equal(boxKey(provider, new Secret(hex(aliceSecret)), new Uint8Array(32)), undefined);
});

/** Draws that were written down before; each must be of the size that is asked for. */
function written(...draws: readonly Uint8Array[]): Entropy {
  const left = [...draws];
  return {
    fill(into) {
      const next = left.shift() ?? new Uint8Array(into.length); // what is not written down decides nothing here
      assert.equal(into.length, next.length);
      into.set(next);
      return into;
    },
  };
}

/** A first counter, most significant byte first. */
const counter = (value: number): Uint8Array => fromHex(value.toString(16).padStart(12, "0"));

test("a whole exchange with fixed keys and nonces is the published one, byte for byte", () => {
  const values = read<Values>("curvecp/handshake.json");
  const hex = (name: string) => fromHex(values[name]!);
  const nonce = fromHex(values.cookie.compressedNonce);
  const pair = new CurveCpPair({
    entropy: {
      client: written(counter(1_000_001), hex("clientShortTermSecret"), fromHex(values.vouch.compressedNonce)),
      server: written(hex("serverShortTermSecret"), hex("minuteKey"), nonce, nonce, counter(7)),
    },
    client: {
      serverKey: hex("serverLongTermPublic"),
      identity: boxes.keyPair(hex("clientLongTermSecret")),
      serverName: values["domainName"]!,
      extension: hex("clientExtension"),
      serverExtension: hex("serverExtension"),
    },
    server: {
      identity: boxes.keyPair(hex("serverLongTermSecret")),
      extension: hex("serverExtension"),
      serverNames: [values["domainName"]!],
    },
  }).connect();
  const [first, last] = messages(values);
  pair.send("client", first).run(5);
  pair.send("client", last).finish("client").run(0.3);
  const { hello, cookie, initiate, serverMessage, clientMessage } = values;
  assert.deepEqual(
    pair.sent.slice(0, 5).map(({ bytes }) => toHex(bytes)),
    [hello, cookie, initiate, serverMessage, clientMessage].map(({ packet }) => packet),
  );
  assert.equal(toHex(pair.received("server")), toHex(concat(first, last)));
  const accepted = pair.events.server.find((event) => event.kind === "confirmed");
  assert.ok(accepted?.kind === "confirmed");
  assert.equal(toHex(accepted.outcome.peer.key), values["clientLongTermPublic"]);
  assert.equal(accepted.outcome.serverName, values["domainName"]);
});

/** The blocks that the two published messages end with. */
function messages(values: Values): readonly [Uint8Array, Uint8Array] {
  const message = (of: object): Uint8Array => fromHex((of as { message: string }).message);
  return [message(values.initiate).slice(-13), message(values.clientMessage).slice(-3)];
}
