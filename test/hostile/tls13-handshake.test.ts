import assert from "node:assert/strict";
import { test } from "node:test";
import { concat } from "../../src/bytes/index.js";
import { Secret } from "../../src/contract/index.js";
import type { TlsClientOptions, TlsReason, TlsServerOptions } from "../../src/protocols/tls/index.js";
import { limits } from "../../src/protocols/tls/limits.js";
import { frame, messageName } from "../../src/protocols/tls/messages/handshake.js";
import { makeIdentity, type Pair, type PairOptions, type Sent, shakeHands } from "../support/tls-handshakes.js";

/*
 * Everything that an attacker between two ends of TLS 1.3 can do to their messages, in the handshakes that differ in
 * shape. What must hold each time: nobody throws, the end that was told something wrong never confirms, and it says
 * why with a reason of its own.
 */

const identity = makeIdentity("Ed25519");
const common: TlsClientOptions & TlsServerOptions = { versions: ["1.3"], groups: ["x25519", "secp256r1"] };
const psks = [{ identity: Uint8Array.of(1, 2, 3), key: new Secret(new Uint8Array(32).fill(5)) }];

const shapes: Readonly<Record<string, { readonly client: TlsClientOptions; readonly server: TlsServerOptions }>> = {
  "with certificates on both sides": {
    client: { ...common, identity, alpn: ["h2"], serverName: "server.test" },
    server: { ...common, identity, clientAuthentication: "require", alpn: ["h2"] },
  },
  "after a retry": { client: common, server: { ...common, groups: ["secp256r1"], identity } },
  "with a pre-shared key": { client: { ...common, psks }, server: { ...common, psks, identity } },
};

type OnTheWay = NonNullable<PairOptions["onTheWay"]>;
const nameOf = ({ bytes }: Sent): string => messageName(bytes[0]!);
const receiver = ({ from }: Sent): "client" | "server" => (from === "client" ? "server" : "client");
const withBody = (sent: Sent, body: Uint8Array): Sent => ({ ...sent, bytes: frame(sent.bytes[0]!, body) });

for (const [shape, options] of Object.entries(shapes)) {
  const run = (onTheWay?: OnTheWay): Pair => shakeHands({ ...options, ...(onTheWay && { onTheWay }) });
  const flow = run().sent;

  /** Puts other messages in the place of the one at `index`; the end that gets them must not be convinced. */
  const disturbed = (index: number, what: string, make: (sent: Sent) => readonly Sent[]): TlsReason | undefined => {
    const pair = run((sent, i) => (i === index ? make(sent) : [sent]));
    const victim = pair[receiver(flow[index]!)];
    assert.equal(victim.outcome?.mode, undefined, `${nameOf(flow[index]!)}: ${what}: it was convinced`);
    assert.notEqual(
      victim.failure?.reason,
      "internal-error",
      `${nameOf(flow[index]!)}: ${what}: ${victim.failure?.cause}`,
    );
    return victim.failure?.reason;
  };

  test(`a handshake ${shape} is undisturbed, to begin with`, () => {
    const pair = run();
    assert.equal(pair.client.failure?.message ?? pair.server.failure?.message, undefined);
    assert.ok(pair.client.outcome && pair.server.outcome);
    assert.ok(flow.length >= 5, flow.map(nameOf).join());
  });

  test(`a handshake ${shape}: a flipped bit in any message convinces nobody`, () => {
    let flips = 0;
    for (const [index, { bytes }] of flow.entries()) {
      const stride = Math.max(1, Math.floor(bytes.length / 40));
      for (let at = 0; at < bytes.length; at += at < 12 ? 1 : stride) {
        for (const bit of [0, 7]) {
          disturbed(index, `bit ${bit} of byte ${at}`, (sent) => {
            const changed = sent.bytes.slice();
            changed[at]! ^= 1 << bit;
            return [{ ...sent, bytes: changed }];
          });
          flips++;
        }
      }
    }
    assert.ok(flips > 300, `${flips}`);
  });

  test(`a handshake ${shape}: a message that is cut short, or too long, does not parse`, () => {
    for (const [index, sent] of flow.entries()) {
      const body = sent.bytes.subarray(4);
      for (const size of [0, 1, Math.floor(body.length / 2), body.length - 1]) {
        if (size < 0 || size >= body.length) continue;
        const reason = disturbed(index, `${size} bytes of it`, () => [withBody(sent, body.subarray(0, size))]);
        assert.equal(reason, "malformed-message", `${nameOf(sent)} of ${size} bytes`);
      }
      const reason = disturbed(index, "a byte more", () => [withBody(sent, concat(body, Uint8Array.of(0)))]);
      assert.equal(reason, "malformed-message", `${nameOf(sent)} with a byte more`);
    }
  });

  test(`a handshake ${shape}: a message that is left out, repeated or in another's place is unexpected`, () => {
    for (const [index, sent] of flow.entries()) {
      disturbed(index, "left out", () => []);
      for (const other of flow) {
        if (other.bytes[0] === sent.bytes[0]) continue;
        const reason = disturbed(index, `${nameOf(other)} in its place`, () => [
          { ...other, epoch: sent.epoch, from: sent.from },
        ]);
        assert.ok(
          reason === "unexpected-message" || (sent.bytes[0] === 13 && other.bytes[0] === 11),
          `${nameOf(other)} in the place of ${nameOf(sent)}: ${reason}`,
        );
      }
      const twice = run((each, i) => (i === index ? [each, each] : [each]));
      const victim = twice[receiver(sent)];
      // The last message of a flight may be confirmed before its copy comes.
      assert.ok(victim.failure !== undefined, `${nameOf(sent)} twice`);
      assert.notEqual(victim.failure.reason, "internal-error");
    }
  });

  test(`a handshake ${shape}: a message that claims to be enormous is refused at its header`, () => {
    for (const [index, sent] of flow.entries()) {
      const header = Uint8Array.of(sent.bytes[0]!, 0xff, 0xff, 0xff);
      const reason = disturbed(index, "sixteen megabytes", () => [{ ...sent, bytes: header }]);
      assert.equal(reason, "message-too-large", nameOf(sent));
    }
  });

  test(`a handshake ${shape}: messages under other keys than their own are unexpected`, () => {
    for (const [index, sent] of flow.entries()) {
      for (const epoch of ["initial", "early", "handshake", "application"] as const) {
        if (epoch === sent.epoch) continue;
        const reason = disturbed(index, `under ${epoch} keys`, () => [{ ...sent, epoch }]);
        assert.equal(reason, "unexpected-message", `${nameOf(sent)} under ${epoch} keys`);
      }
    }
  });
}

// After the handshake

const session = (): Pair => {
  const pair = shakeHands(shapes["with certificates on both sides"]!);
  assert.ok(pair.client.outcome && pair.server.outcome);
  return pair;
};

/** What a session says to one more message. */
function told(to: "client" | "server", type: number, body: Uint8Array, times = 1): TlsReason | undefined {
  const pair = session();
  for (let i = 0; i < times; i++) pair.deliver(to, "application", frame(type, body));
  return pair[to].failure?.reason;
}

test("1.3 does not renegotiate: a ClientHello or ServerHello in a session is unexpected", () => {
  const { sent } = session();
  const hello = sent.find(({ bytes }) => bytes[0] === 1)!.bytes.subarray(4);
  assert.equal(told("server", 1, hello), "unexpected-message");
  assert.equal(told("client", 2, sent.find(({ bytes }) => bytes[0] === 2)!.bytes.subarray(4)), "unexpected-message");
  assert.equal(told("client", 0, new Uint8Array(0)), "unexpected-message");
});

test("a KeyUpdate is one byte, 0 or 1, and no flood", () => {
  assert.equal(told("client", 24, Uint8Array.of(2)), "illegal-parameter");
  assert.equal(told("client", 24, new Uint8Array(0)), "malformed-message");
  assert.equal(told("client", 24, Uint8Array.of(0, 0)), "malformed-message");
  assert.equal(told("client", 24, Uint8Array.of(0), limits.keyUpdatesMax), undefined);
  assert.equal(told("client", 24, Uint8Array.of(0), limits.keyUpdatesMax + 1), "too-many-key-updates");
  assert.equal(told("server", 24, Uint8Array.of(1), limits.keyUpdatesMax + 1), "too-many-key-updates");
});

test("tickets are for clients, parse, and are no flood", () => {
  const ticket = Uint8Array.of(0, 0, 1, 0, 1, 2, 3, 4, 1, 9, 0, 2, 7, 7, 0, 0);
  assert.equal(told("client", 4, ticket), undefined);
  assert.equal(told("server", 4, ticket), "unexpected-message");
  for (let size = 0; size < ticket.length; size++) {
    assert.equal(told("client", 4, ticket.subarray(0, size)), "malformed-message", `${size} bytes`);
  }
  assert.equal(told("client", 4, ticket, limits.ticketsMax), undefined);
  assert.equal(told("client", 4, ticket, limits.ticketsMax + 1), "too-many-tickets");
});

test("a certificate is asked for only of clients that offered it, and given only when asked for", () => {
  const request = Uint8Array.of(1, 5, 0, 8, 0, 13, 0, 4, 0, 2, 8, 7);
  assert.equal(told("client", 13, request), "unexpected-message");
  assert.equal(told("server", 11, Uint8Array.of(1, 5, 0, 0, 0)), "unexpected-message");
});
