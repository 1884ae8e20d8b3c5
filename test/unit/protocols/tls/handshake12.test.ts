import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { concat, decode, encode, equal, utf8 } from "../../../../src/bytes/index.js";
import { Secret } from "../../../../src/contract/index.js";
import {
  dialects,
  type Suite12,
  type TlsClientOptions,
  type TlsIdentity,
  type TlsReason,
  type TlsServerOptions,
} from "../../../../src/protocols/tls/index.js";
import { type Extension, ExtensionBlock, ext } from "../../../../src/protocols/tls/messages/extensions.js";
import { frame, handshakeType } from "../../../../src/protocols/tls/messages/handshake.js";
import { type ClientHello, clientHello, downgrade12 } from "../../../../src/protocols/tls/messages/hello.js";
import { suites12 } from "../../../../src/protocols/tls/parameters/suites12.js";
import { provider as crypto } from "../../../support/provider.js";
import {
  identityOf,
  makeIdentity,
  newTickets,
  type Pair,
  type PairOptions,
  type Sent,
  shakeHands,
  startOfTime,
} from "../../../support/tls-handshakes.js";

const p256 = makeIdentity("P-256");
const rsa = identityOf(rsaKey("rsa"));
const psks = [{ identity: utf8("me"), key: new Secret(new Uint8Array(16).fill(9)) }];
const only12 = { versions: ["1.2"] } as const;
const sessions = { take: () => undefined, add: () => undefined };
const tickets = { seal: () => undefined, open: () => undefined };
const sessionsById = { find: () => undefined, add: () => undefined, forget: () => undefined };

function rsaKey(type: "rsa" | "rsa-pss") {
  const { privateKey } = generateKeyPairSync(type as "rsa", { modulusLength: 2048 });
  return crypto.privateKey(privateKey.export({ format: "der", type: "pkcs8" }))!;
}

/** Both ends confirmed, with the same keys. */
function agreed(pair: Pair): Pair {
  assert.equal(pair.client.failure, undefined, pair.client.failure?.message);
  assert.equal(pair.server.failure, undefined, pair.server.failure?.message);
  assert.equal(pair.client.outcome?.version, "1.2");
  assert.equal(pair.server.outcome?.version, "1.2");
  for (const field of ["suite", "group", "alpn", "mode"] as const) {
    assert.equal(pair.client.outcome?.[field], pair.server.outcome?.[field]);
  }
  const exported = pair.client.handshake.exportKey("EXPERIMENTAL", 32);
  assert.deepEqual(exported, pair.server.handshake.exportKey("EXPERIMENTAL", 32));
  const unique = pair.client.handshake.channelBinding("tls-unique");
  assert.equal(unique?.length, 12);
  assert.deepEqual(unique, pair.server.handshake.channelBinding("tls-unique"));
  return pair;
}

function refused(pair: Pair, side: "client" | "server", reason: TlsReason): void {
  assert.equal(pair[side].failure?.reason, reason, pair[side].failure?.message ?? "it did not fail");
  assert.equal(pair[side].outcome, undefined);
}

const run = (client: TlsClientOptions, server: TlsServerOptions, more: PairOptions = {}): Pair =>
  shakeHands({ client: { ...only12, ...client }, server: { ...only12, identity: p256, ...server }, ...more });

/** Changes the ClientHello on its way: what a client of another kind would have said. */
function helloAs(change: (hello: ClientHello) => Partial<ClientHello>): (sent: Sent) => readonly Sent[] {
  return (sent) => {
    if (sent.bytes[0] !== handshakeType.clientHello) return [sent];
    const codec = clientHello(false);
    const hello = decode(codec, sent.bytes.subarray(4));
    return [{ ...sent, bytes: frame(1, encode(codec, { ...hello, ...change(hello) })) }];
  };
}

const without = (hello: ClientHello, ...types: number[]) => ({
  extensions: new ExtensionBlock<"CH">(
    "CH",
    hello.extensions.items.filter(({ type }) => !types.includes(type)),
  ),
});
const withExtension = (hello: ClientHello, item: Extension) => ({
  extensions: new ExtensionBlock<"CH">("CH", [...without(hello, item.type).extensions.items, item]),
});

test("every suite that a P-256, RSA or pre-shared key can serve comes to the same keys on both ends", () => {
  for (const { name, authentication, keyExchange } of suites12) {
    const options = { suites: [name], psks } as const;
    const pair = agreed(run(options, { ...options, identity: authentication === "RSA" ? rsa : p256 }));
    assert.equal(pair.client.outcome?.suite, name);
    assert.equal(pair.client.outcome?.mode, keyExchange.includes("PSK") ? "psk" : "full");
  }
});

test("every kind of key can authenticate a server", () => {
  const identities: [TlsIdentity, string][] = [
    [makeIdentity("P-384"), "ecdsa_secp256r1_sha256"], // 1.2 does not bind hash and curve
    [makeIdentity("P-521"), "ecdsa_secp256r1_sha256"],
    [makeIdentity("Ed25519"), "ed25519"],
    [makeIdentity("Ed448"), "ed448"],
    [rsa, "rsa_pss_rsae_sha256"],
    [identityOf(rsaKey("rsa-pss")), "rsa_pss_pss_sha256"],
  ];
  for (const [identity, scheme] of identities) {
    const pair = agreed(run({}, { identity }));
    assert.equal(pair.client.outcome?.peerScheme, scheme);
    assert.equal(pair.server.outcome?.identity, identity);
  }
});

test("every group that 1.2 knows can be agreed upon", () => {
  for (const group of ["x25519", "x448", "secp256r1", "secp384r1", "secp521r1"] as const) {
    assert.equal(agreed(run({ groups: [group] }, { identity: rsa })).client.outcome?.group, group);
  }
  const dhe = { suites: ["TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"] } as const;
  for (const group of ["ffdhe2048", "ffdhe3072"] as const) {
    const pair = agreed(run({ ...dhe, groups: [group] }, { ...dhe, identity: rsa }));
    assert.equal(pair.client.outcome?.group, group);
  }
  refused(run({ groups: ["x25519"] }, { groups: ["secp384r1"] }), "server", "no-common-suite");
});

test("a server that speaks 1.3 too marks its random, and so a client learns of a downgrade", () => {
  const pair = agreed(run({}, { versions: ["1.3", "1.2"] }));
  const serverHello = pair.sent.find(({ bytes }) => bytes[0] === handshakeType.serverHello)!;
  assert.ok(equal(serverHello.bytes.subarray(30, 38), downgrade12));
  const attacked = run(
    { versions: ["1.3", "1.2"] },
    { versions: ["1.3", "1.2"] },
    { onTheWay: helloAs((hello) => without(hello, ext.supportedVersions.type)) },
  );
  refused(attacked, "client", "downgrade-detected");
});

test("a fallback from 1.3 is refused when the server knows better, RFC 7507", () => {
  const onTheWay = helloAs((hello) => ({ suites: [...hello.suites, 0x5600] }));
  refused(run({}, { versions: ["1.3", "1.2"] }, { onTheWay }), "server", "inappropriate-fallback");
});

test("ALPN, server name, staple and timestamps arrive where they should", () => {
  const stapled = { ...p256, ocspResponse: utf8("ocsp"), signedCertificateTimestamps: utf8("scts") };
  const pair = agreed(
    run({ alpn: ["h2", "http/1.1"], serverName: "server.test" }, { alpn: ["http/1.1"], identity: stapled }),
  );
  assert.equal(pair.client.outcome?.alpn, "http/1.1");
  assert.equal(pair.server.outcome?.serverName, "server.test");
  assert.deepEqual(pair.client.outcome?.ocspResponse, utf8("ocsp"));
  assert.deepEqual(pair.client.outcome?.signedCertificateTimestamps, utf8("scts"));
  const plain = agreed(run({ requestStatus: false }, { identity: stapled }));
  assert.equal(plain.client.outcome?.ocspResponse, undefined);
  refused(run({ alpn: ["h2"] }, { alpn: ["imap"] }), "server", "no-common-application-protocol");
});

test("tls-server-end-point is the hash of the server's certificate on both ends, RFC 5929", () => {
  const pair = agreed(run({}, {}));
  const bound = pair.client.handshake.channelBinding("tls-server-end-point");
  assert.deepEqual(bound, crypto.hash("SHA-256").digest(p256.certificates[0]!));
  assert.deepEqual(bound, pair.server.handshake.channelBinding("tls-server-end-point"));
});

test("a client authenticates when it is asked to, and says that it has nothing when it has nothing", () => {
  const identity = makeIdentity("Ed25519");
  for (const each of [identity, rsa, p256]) {
    const pair = agreed(run({ identity: each }, { clientAuthentication: "require" }));
    const peer = pair.server.outcome?.peer;
    assert.ok(peer?.kind === "certificate");
    assert.deepEqual(peer.chain, each.certificates);
    assert.equal(pair.client.outcome?.identity, each);
  }
  const nobody = agreed(run({}, { clientAuthentication: "request" }));
  assert.equal(nobody.server.outcome?.peer, undefined);
  refused(run({}, { clientAuthentication: "require" }), "server", "no-client-certificate");
});

test("raw public keys stand in for certificates on both sides, RFC 7250", () => {
  const raw = { certificateTypes: ["raw-public-key"], peerCertificateTypes: ["raw-public-key"] } as const;
  const identity = makeIdentity("Ed25519");
  const pair = agreed(run({ ...raw, identity }, { ...raw, clientAuthentication: "require" }));
  assert.equal(pair.client.outcome?.peer?.kind, "raw-public-key");
  const peer = pair.server.outcome?.peer;
  assert.ok(peer?.kind === "raw-public-key");
  assert.deepEqual(peer.publicKey.spki, identity.publicKey.spki);
  refused(run(raw, {}), "server", "no-common-certificate-type");
});

test("records keep to what the peers can take, RFC 8449 and RFC 6066", () => {
  const sizes = (pair: Pair, side: "client" | "server") => {
    const found = pair[side].outputs.find((output) => output.kind === "record-limits");
    return found?.kind === "record-limits" ? [found.send, found.receive] : undefined;
  };
  const pair = agreed(run({ recordSizeLimit: 1000 }, { recordSizeLimit: 2000 }));
  assert.deepEqual(sizes(pair, "client"), [2000, 1000]);
  assert.deepEqual(sizes(pair, "server"), [1000, 2000]);
  const fragments = agreed(run({ maxFragmentLength: 1024 }, {}));
  assert.deepEqual(sizes(fragments, "client"), [1024, 1024]);
  assert.deepEqual(sizes(fragments, "server"), [1024, 1024]);
  assert.equal(sizes(agreed(run({}, {})), "client"), undefined);
});

test("a pre-shared key that the server does not know is refused", () => {
  const suites = ["TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256"] as const;
  const other = [{ identity: utf8("you"), key: new Secret(new Uint8Array(16)) }];
  refused(run({ suites, psks }, { suites, psks: other }), "server", "unknown-psk-identity");
  const wrong = [{ identity: utf8("me"), key: new Secret(new Uint8Array(16)) }];
  refused(run({ suites, psks }, { suites, psks: wrong }), "server", "bad-finished");
});

test("without the extended main secret there is no session, unless that is allowed, RFC 7627", () => {
  const onTheWay = helloAs((hello) => without(hello, ext.extendedMainSecret.type));
  refused(run({}, {}, { onTheWay }), "server", "no-extended-main-secret");
  refused(run({}, { allowMissingExtendedMainSecret: true }, { onTheWay }), "client", "no-extended-main-secret");
  const allowed = { allowMissingExtendedMainSecret: true } as const;
  const pair = run(allowed, allowed, { onTheWay });
  assert.equal(pair.server.failure?.reason, "bad-finished"); // the hello was changed: but so far they came
});

test("renegotiation is refused on both sides, before the handshake and after it", () => {
  const onTheWay = helloAs((hello) => withExtension(hello, { type: 0xff01, data: Uint8Array.of(1, 7) }));
  refused(run({}, {}, { onTheWay }), "server", "insecure-renegotiation");
  const pair = agreed(run({}, {}));
  const hello = pair.sent[0]!.bytes;
  pair.deliver("server", "application", hello);
  assert.equal(pair.server.failure?.reason, "renegotiation-refused");
  assert.equal(pair.server.failure?.code, 100);
  const asked = agreed(run({}, {}));
  asked.deliver("client", "application", Uint8Array.of(0, 0, 0, 0));
  assert.equal(asked.client.failure?.reason, "renegotiation-refused");
});

test("a server that says nothing of renegotiation is refused, RFC 5746", () => {
  const onTheWay = helloAs((hello) => without(hello, ext.renegotiationInfo.type));
  refused(run({}, {}, { onTheWay }), "client", "insecure-renegotiation");
});

test("CBC suites are used with encrypt-then-MAC or not at all", () => {
  const suites = ["TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"] as const;
  const onTheWay = helloAs((hello) => without(hello, ext.encryptThenMac.type));
  refused(run({ suites }, { suites }, { onTheWay }), "server", "no-common-suite");
});

test("a session goes on from a ticket, with the peers it had", () => {
  const keys = newTickets();
  const identity = makeIdentity("Ed25519");
  const options = { sessions, serverName: "server.test", identity, alpn: ["h2"] } as const;
  const server = { tickets, clientAuthentication: "require", alpn: ["h2"] } as const;
  const first = agreed(run(options, server, { tickets: keys }));
  assert.equal(first.stored.length, 1);
  const second = agreed(run(options, server, { tickets: keys, session: first.stored[0], seed: 2 }));
  assert.equal(second.client.outcome?.mode, "resumed");
  assert.equal(second.client.outcome?.roundTrips, 1);
  assert.equal(second.client.outcome?.alpn, "h2");
  const peer = second.server.outcome?.peer;
  assert.ok(peer?.kind === "certificate");
  assert.deepEqual(peer.chain, identity.certificates);
  assert.deepEqual(second.stored, [first.stored[0]]); // good for another time
  assert.ok(second.sent.length < first.sent.length);
});

test("a session goes on from its ID when the server keeps it", () => {
  const first = agreed(run({ sessions }, { sessionCache: sessionsById }));
  assert.equal(first.stored[0]?.sessionId.length, 32);
  const second = agreed(run({ sessions }, { sessionCache: sessionsById }, { session: first.stored[0], seed: 2 }));
  assert.equal(second.client.outcome?.mode, "resumed");
});

test("a session that may not go on gives way to a full handshake", () => {
  const keys = newTickets();
  const first = agreed(run({ sessions }, { tickets }, { tickets: keys }));
  const session = first.stored[0];
  const again = (client: TlsClientOptions, server: TlsServerOptions, more: PairOptions = {}) =>
    agreed(run({ sessions, ...client }, { tickets, ...server }, { tickets: keys, session, seed: 2, ...more }));
  assert.equal(again({}, {}).client.outcome?.mode, "resumed");
  assert.equal(again({}, {}, { tickets: newTickets(2) }).client.outcome?.mode, "full");
  assert.equal(again({ serverName: "other.test" }, {}).client.outcome?.mode, "full");
  assert.equal(again({}, { suites: ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"] }).client.outcome?.mode, "full");
  assert.equal(again({}, {}, { now: startOfTime + 7_200_000 }).client.outcome?.mode, "full");
  const identity = makeIdentity("Ed25519");
  assert.equal(again({ identity }, { clientAuthentication: "require" }).client.outcome?.mode, "full");
});

test("a session with the extended main secret is not resumed without it, RFC 7627 §5.3", () => {
  const keys = newTickets();
  const first = agreed(run({ sessions }, { tickets }, { tickets: keys }));
  const onTheWay = helloAs((hello) => without(hello, ext.extendedMainSecret.type));
  const allowed = { allowMissingExtendedMainSecret: true } as const;
  const more = { tickets: keys, session: first.stored[0], seed: 2, onTheWay };
  refused(run({ sessions, ...allowed }, { tickets, ...allowed }, more), "server", "no-extended-main-secret");
});

test("a signer that refuses ends the handshake, and says so", () => {
  const mute: TlsIdentity = { ...p256, sign: () => undefined };
  refused(run({}, { identity: mute }), "server", "signer-refused");
});

test("TLS 1.2 changes no keys and asks for no certificate later", () => {
  const pair = agreed(run({}, {}));
  assert.throws(() => pair.client.handshake.updateKeys(false, startOfTime), { reason: "misuse" });
  assert.throws(() => pair.server.handshake.requestAuthentication(startOfTime), { reason: "misuse" });
});

test("a client that does not list the curve of a certificate is not shown it, RFC 8422", () => {
  refused(run({ groups: ["x25519"] }, {}), "server", "no-identity");
  agreed(run({ groups: ["x25519", "secp256r1"] }, {}));
  agreed(run({ groups: ["x25519"] }, { identity: makeIdentity("Ed25519") }));
});

test("without a suite for the identity's key the server says what is missing", () => {
  const suites: Suite12["name"][] = ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"];
  refused(run({ suites }, { identity: p256 }), "server", "no-identity");
});

test("for DTLS 1.2 messages are hashed with their numbers, RFC 6347 §4.2.6", () => {
  const dialect = dialects.dtls;
  const identity = makeIdentity("Ed25519");
  const asked = { clientAuthentication: "require" } as const;
  const dtls = agreed(run({ identity }, asked, { dialect }));
  const tls = agreed(run({ identity }, asked));
  assert.deepEqual(
    dtls.sent.map(({ bytes }) => bytes[0]),
    tls.sent.map(({ bytes }) => bytes[0]),
  );
  // Client and server number their own: the transcript, worked out by hand up to the client's Finished.
  const numbers = { client: 0, server: 0 };
  const hashed = dtls.sent.map(({ from, bytes }) => {
    const size = bytes.subarray(1, 4);
    const number = Uint8Array.of(0, numbers[from]++);
    return concat(bytes.subarray(0, 4), number, Uint8Array.of(0, 0, 0), size, bytes.subarray(4));
  });
  const upToExchange = dtls.sent.findIndex(({ bytes }) => bytes[0] === handshakeType.clientKeyExchange) + 1;
  const certificateVerify = dtls.sent[upToExchange]!.bytes.subarray(8);
  const signed = concat(...hashed.slice(0, upToExchange));
  assert.ok(identity.publicKey.verify("Ed25519", signed, certificateVerify));
});

test("a DTLS 1.2 client answers a HelloVerifyRequest with the cookie, once, and begins to count anew", () => {
  const request = frame(handshakeType.helloVerifyRequest, Uint8Array.of(0xfe, 0xfd, 3, 7, 8, 9));
  let asked = 0;
  const onTheWay = (sent: Sent): readonly Sent[] => {
    if (sent.bytes[0] !== handshakeType.clientHello) return [sent];
    const { cookie } = decode(clientHello(true), sent.bytes.subarray(4));
    if (asked++ > 1) return [];
    assert.deepEqual(cookie, asked === 1 ? new Uint8Array() : Uint8Array.of(7, 8, 9));
    return [{ from: "server", epoch: "initial", bytes: request }];
  };
  const pair = run({}, {}, { dialect: dialects.dtls, onTheWay });
  assert.equal(asked, 2);
  assert.equal(pair.client.failure?.reason, "second-retry");
  const tls = run(
    {},
    {},
    { onTheWay: (sent) => (sent.bytes[0] === 1 ? [{ ...sent, from: "server", bytes: request }] : [sent]) },
  );
  refused(tls, "client", "unexpected-message");
});
