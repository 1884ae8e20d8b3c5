import assert from "node:assert/strict";
import { test } from "node:test";
import { concat } from "../../src/bytes/index.js";
import type { TlsClientOptions, TlsServerOptions } from "../../src/protocols/tls/index.js";
import { frame, messageName } from "../../src/protocols/tls/messages/handshake.js";
import { makeIdentity, newTickets, type Pair, type Sent, shakeHands } from "../support/tls-handshakes.js";

/*
 * Everything that an attacker between two ends of TLS 1.2 can do to their messages. What must hold each time: nobody
 * throws, and the end that was told something wrong never confirms the handshake.
 */

/** Its signatures, and so the sizes of messages, are the same in every run. */
const identity = makeIdentity("Ed25519");
const client: TlsClientOptions = {
  versions: ["1.2"],
  sessions: { take: () => undefined, add: () => undefined },
  identity,
  serverName: "server.test",
  alpn: ["h2"],
};
const server: TlsServerOptions = {
  versions: ["1.2"],
  tickets: { seal: () => undefined, open: () => undefined },
  identity,
  clientAuthentication: "require",
  alpn: ["h2"],
};

type OnTheWay = (sent: Sent, index: number) => readonly Sent[];
const run = (onTheWay?: OnTheWay): Pair =>
  shakeHands({ client, server, tickets: newTickets(), ...(onTheWay && { onTheWay }) });

/** The messages of an undisturbed handshake. */
const flow = run().sent;
const nameOf = ({ bytes }: Sent): string => messageName(bytes[0]!);
const receiver = ({ from }: Sent): "client" | "server" => (from === "client" ? "server" : "client");

/** Puts other messages in the place of the one at `index`; the end that gets them must not be convinced. */
function disturbed(index: number, what: string, make: (sent: Sent) => readonly Sent[]): void {
  const pair = run((sent, i) => (i === index ? make(sent) : [sent]));
  const victim = pair[receiver(flow[index]!)];
  assert.equal(victim.outcome?.mode, undefined, `${nameOf(flow[index]!)}: ${what}`);
  assert.notEqual(victim.failure?.reason, "internal-error", `${nameOf(flow[index]!)}: ${what}`);
}

test("the undisturbed handshake has every message that 1.2 has", () => {
  assert.deepEqual(flow.map(nameOf), [
    "ClientHello",
    "ServerHello",
    "Certificate",
    "ServerKeyExchange",
    "CertificateRequest",
    "ServerHelloDone",
    "Certificate",
    "ClientKeyExchange",
    "CertificateVerify",
    "Finished",
    "NewSessionTicket",
    "Finished",
  ]);
});

test("no message with a bit turned is believed", () => {
  flow.forEach((message, index) => {
    for (let at = 0; at < message.bytes.length; at++) {
      const bit = (at * 5 + index) & 7;
      disturbed(index, `bit ${bit} of byte ${at}`, (sent) => {
        const bytes = sent.bytes.slice();
        bytes[at]! ^= 1 << bit;
        return [{ ...sent, bytes }];
      });
    }
  });
});

test("no message that ends too early is believed, whether its length says so or not", () => {
  flow.forEach((message, index) => {
    const size = message.bytes.length;
    for (let cut = 1; cut < size - 4; cut += 1 + (size >> 5)) {
      disturbed(index, `${cut} bytes short`, (sent) => [
        { ...sent, bytes: frame(sent.bytes[0]!, sent.bytes.subarray(4, size - cut)) },
      ]);
    }
  });
});

test("no message with bytes behind its end is believed", () => {
  flow.forEach((_, index) => {
    disturbed(index, "a byte more", (sent) => [
      { ...sent, bytes: frame(sent.bytes[0]!, concat(sent.bytes.subarray(4), Uint8Array.of(0))) },
    ]);
  });
});

test("a message that is left out, or comes twice, ends the handshake", () => {
  flow.forEach((message, index) => {
    disturbed(index, "left out", () => []);
    // After its Finished a side is done with the other: what comes twice then comes too late to be part of it.
    if (nameOf(message) !== "Finished") disturbed(index, "twice", (sent) => [sent, sent]);
  });
});

test("two messages in the wrong order end the handshake", () => {
  for (let index = 0; index + 1 < flow.length; index++) {
    if (flow[index]!.from !== flow[index + 1]!.from) continue;
    let held: Sent | undefined;
    const pair = run((sent, i) => {
      if (i === index) {
        held = sent;
        return [];
      }
      return i === index + 1 ? [sent, held!] : [sent];
    });
    assert.equal(pair[receiver(flow[index]!)].outcome?.mode, undefined, nameOf(flow[index]!));
  }
});

test("a message in the place of another ends the handshake, whatever it is", () => {
  flow.forEach((_, index) => {
    flow.forEach((other, instead) => {
      if (instead === index || other.bytes[0] === flow[index]!.bytes[0]) return;
      disturbed(index, `${nameOf(other)} instead`, (sent) => [{ ...sent, bytes: other.bytes }]);
    });
  });
});

test("messages that claim to be larger than anyone needs are refused at their header", () => {
  flow.forEach((message, index) => {
    const pair = run((sent, i) =>
      i === index ? [{ ...sent, bytes: Uint8Array.of(sent.bytes[0]!, 0xff, 0xff, 0xff) }] : [sent],
    );
    assert.equal(pair[receiver(message)].failure?.reason, "message-too-large", nameOf(message));
  });
});

test("a message under other keys than its own is unexpected", () => {
  flow.forEach((message, index) => {
    const epoch = message.epoch === "initial" ? "application" : "initial";
    disturbed(index, `under ${epoch} keys`, (sent) => [{ ...sent, epoch }]);
  });
});

test("what comes after the handshake is refused: 1.2 has nothing more to say", () => {
  for (const to of ["client", "server"] as const) {
    for (const message of flow) {
      const pair = run();
      pair.deliver(to, "application", message.bytes);
      assert.equal(pair[to].failure?.fault, "misbehaviour", `${nameOf(message)} to the ${to}`);
    }
  }
});
