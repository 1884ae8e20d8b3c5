import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { equal, fromHex, toHex } from "../../src/bytes/index.js";
import { Secret } from "../../src/contract/index.js";
import { portableCrypto } from "../../src/hosts/node/crypto-portable/index.js";
import { CookieChecker, CookieKeeper } from "../../src/protocols/wireguard/cookies.js";
import { ReceivedInitiation, SentInitiation } from "../../src/protocols/wireguard/handshake.js";
import { Suite } from "../../src/protocols/wireguard/noise.js";

interface Vector {
  readonly psk: string;
  readonly initiation: string;
  readonly response: string;
  readonly initiatorSendKey: string;
  readonly initiatorReceiveKey: string;
  readonly cookieReplyToInitiation: { readonly message: string };
  readonly initiationWithMac2: string;
}

const file = new URL("../../../test/vectors/data/wireguard/handshake.json", import.meta.url);
const { common, ...cases } = JSON.parse(readFileSync(file, "utf8")) as {
  common: Record<string, string | number>;
} & Record<"withPsk" | "noPsk", Vector>;
const hex = (name: string): Uint8Array => fromHex(String(common[name]));
const suite = new Suite(portableCrypto);
const never = { fill: (): never => assert.fail("no entropy is wanted here") };

for (const [name, vector] of Object.entries(cases) as [string, Vector][]) {
  const psk = name === "withPsk" ? Secret.copy(fromHex(vector.psk)) : undefined;
  const initiator = suite.keyPair(hex("initiatorStaticSecret"));
  const responder = suite.keyPair(hex("responderStaticSecret"));
  const send = () => {
    const peer = { publicKey: responder.publicKey, preSharedKey: psk };
    const ephemeral = suite.keyPair(hex("initiatorEphemeralSecret"));
    return SentInitiation.create(
      suite,
      initiator,
      peer,
      ephemeral,
      Number(common["initiatorIndex"]),
      hex("tai64nTimestamp"),
    )!;
  };

  test(`${name}: both sides make the messages and keys of the published values`, () => {
    assert.equal(toHex(initiator.publicKey), common["initiatorStaticPublic"]);
    const sent = send();
    new CookieKeeper(suite, responder.publicKey).sign(sent.message, 0);
    assert.equal(toHex(sent.message), vector.initiation);

    const received = ReceivedInitiation.read(suite, responder, sent.message)!;
    assert.deepEqual(received.staticKey, initiator.publicKey);
    assert.deepEqual(received.timestamp(), hex("tai64nTimestamp"));
    const ephemeral = suite.keyPair(hex("responderEphemeralSecret"));
    const response = received.respond(psk, ephemeral, Number(common["responderIndex"]))!;
    new CookieKeeper(suite, initiator.publicKey).sign(response.message, 0);
    assert.equal(toHex(response.message), vector.response);
    assert.equal(toHex(response.keys.send.expose()), vector.initiatorReceiveKey);

    const keys = sent.accept(response.message)!;
    assert.equal(toHex(keys.send.expose()), vector.initiatorSendKey);
    assert.equal(toHex(keys.receive.expose()), vector.initiatorReceiveKey);
  });

  test(`${name}: a cookie is taken from its reply and signs the next message`, () => {
    const keeper = new CookieKeeper(suite, responder.publicKey);
    const { message } = send();
    keeper.sign(message, 0);
    const reply = fromHex(vector.cookieReplyToInitiation.message);
    const forged = reply.slice();
    forged[40]! ^= 1;
    assert.equal(keeper.accept(forged, 0), false);
    assert.equal(keeper.accept(reply, 0), true);
    assert.equal(keeper.accept(reply, 0), false, "a second reply to the same message");
    keeper.sign(message, 1);
    assert.equal(toHex(message), vector.initiationWithMac2);
    keeper.sign(message, 116_000);
    assert.ok(equal(message.subarray(132), new Uint8Array(16)), "an old cookie is not used");
    assert.ok(new CookieChecker(suite, responder.publicKey, never).mac1(message));
  });
}
