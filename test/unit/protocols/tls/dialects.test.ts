import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, equal, toHex, utf8 } from "../../../../src/bytes/index.js";
import { seededEntropy } from "../../../../src/crypto/index.js";
import { PkiFailure, parseCertificate } from "../../../../src/pki/index.js";
import { clientConfig, serverConfig } from "../../../../src/protocols/tls/config.js";
import {
  type ClientSession,
  clientHandshake,
  type Dialect,
  decodeSession,
  dialects,
  type Epoch,
  encodeSession,
  type Handshake,
  serverHandshake,
  TicketKeyRing,
  type TlsClientOptions,
  type TlsFailure,
  type TlsHandshakeOutput,
  type TlsOutcome,
  type TlsServerOptions,
} from "../../../../src/protocols/tls/index.js";
import { ext } from "../../../../src/protocols/tls/messages/extensions.js";
import { clientHello } from "../../../../src/protocols/tls/messages/hello.js";
import { provider as crypto } from "../../../support/provider.js";
import { identityFor, startOfTime } from "../../../support/tls-pair.js";

/*
 * The handshake as DTLS and QUIC drive it: without records, from what it puts out alone.
 */

const identity = identityFor("Ed25519");
const quicParameters = { type: 0x39, data: Uint8Array.of(1, 2, 3) };
const tickets = new TicketKeyRing({ crypto, entropy: seededEntropy("dialects") });

interface Side {
  readonly handshake: Handshake;
  /** Secrets by epoch and direction, in hex. */
  readonly keys: Map<string, string>;
  readonly said: string[];
  outcome: TlsOutcome | undefined;
  failure: TlsFailure | undefined;
  session: ClientSession | undefined;
}

function shake(
  dialect: Dialect,
  options: {
    readonly client?: TlsClientOptions;
    readonly server?: TlsServerOptions;
    readonly session?: ClientSession;
  } = {},
): { readonly client: Side; readonly server: Side; readonly hello: Uint8Array } {
  const ground = (seed: string) => ({ crypto, dialect, entropy: seededEntropy(seed) });
  const common = { versions: ["1.3"], groups: ["x25519"] } as const;
  const clientOptions: TlsClientOptions = { ...common, ...options.client };
  const serverOptions: TlsServerOptions = { ...common, identity, ...options.server };
  const side = (handshake: Handshake): Side => ({
    handshake,
    keys: new Map(),
    said: [],
    outcome: undefined,
    failure: undefined,
    session: undefined,
  });
  const client = side(clientHandshake(clientConfig(ground("client"), clientOptions)) as unknown as Handshake);
  const server = side(serverHandshake(serverConfig(ground("server"), serverOptions)) as unknown as Handshake);
  const waiting: { to: Side; epoch: Epoch; bytes: Uint8Array }[] = [];
  let hello: Uint8Array | undefined;
  const take = (from: Side, to: Side, output: TlsHandshakeOutput): void => {
    from.said.push(output.kind === "message" ? `${output.epoch} ${output.bytes[0]}` : output.kind);
    if (output.kind === "message") {
      hello ??= output.bytes;
      waiting.push({ to, epoch: output.epoch, bytes: output.bytes });
    } else if (output.kind === "keys" && output.keys.version === "1.3") {
      from.keys.set(`${output.epoch} ${output.direction}`, toHex(output.keys.secret.expose()));
    } else if (output.kind === "confirmed") from.outcome = output.outcome;
    else if (output.kind === "failed") from.failure = output.failure;
    else if (output.kind === "question") {
      const { id, question } = output;
      let answer: unknown;
      if (question.kind === "verify-peer") {
        const parsed = parseCertificate(question.certificates[0]!);
        const publicKey = parsed instanceof PkiFailure ? undefined : crypto.publicKey(parsed.spki);
        answer = { trusted: true, publicKey, peer: { kind: "certificate", chain: question.certificates, publicKey } };
      } else if (question.kind === "select-identity") answer = identity;
      else if (question.kind === "sign") answer = identity.sign(question.algorithm, question.message);
      else if (question.kind === "issue-ticket") answer = tickets.seal(encodeSession(question.session), startOfTime);
      else if (question.kind === "store-session") from.session = question.session;
      else if (question.kind === "offer-psks") {
        answer = { ...(options.session && { session: options.session }), external: [] };
      } else if (question.kind === "find-psk") {
        const opened = tickets.open(question.identities[0]!, startOfTime);
        const session = opened && decodeSession(opened);
        answer = session && { index: 0, kind: "resumption", session };
      } else if (question.kind === "judge-early-data") answer = "fresh";
      from.handshake.answer({ kind: "answer", id, answer }, startOfTime);
    }
  };
  const drain = (from: Side, to: Side): void => {
    for (let output = from.handshake.output(); output !== undefined; output = from.handshake.output()) {
      take(from, to, output);
    }
  };
  server.handshake.start(startOfTime);
  client.handshake.start(startOfTime);
  drain(client, server);
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    next.to.handshake.receive(next.epoch, next.bytes, startOfTime);
    drain(client, server);
    drain(server, client);
  }
  assert.ok(hello);
  return { client, server, hello };
}

const quic = {
  client: { extensions: [quicParameters], alpn: ["h3"] },
  server: { extensions: [quicParameters], alpn: ["h3"] },
} as const;

test("QUIC: transport parameters travel, keys match for every epoch, and nothing of TLS's records is there", () => {
  const { client, server, hello } = shake(dialects.quic, quic);
  assert.equal(client.failure?.message ?? server.failure?.message, undefined);
  assert.deepEqual(client.outcome?.extensions.get(0x39), quicParameters.data);
  assert.deepEqual(server.outcome?.extensions.get(0x39), quicParameters.data);
  for (const epoch of ["handshake", "application"]) {
    assert.equal(client.keys.get(`${epoch} write`), server.keys.get(`${epoch} read`));
    assert.equal(client.keys.get(`${epoch} read`), server.keys.get(`${epoch} write`));
  }
  assert.ok(!client.said.includes("change-cipher-spec") && !server.said.includes("change-cipher-spec"));
  const { sessionId } = decode(clientHello(false), hello.subarray(4));
  assert.equal(sessionId.length, 0, "no session id for middleboxes (RFC 9001 §8.4)");
  assert.throws(() => client.handshake.updateKeys(false, startOfTime), { reason: "misuse" });
});

test("QUIC: without transport parameters there is no session", () => {
  const { server } = shake(dialects.quic, { client: { alpn: ["h3"] }, server: quic.server });
  assert.equal(server.failure?.reason, "missing-extension");
  const { client } = shake(dialects.quic, { client: quic.client, server: { alpn: ["h3"] } });
  assert.equal(client.failure?.reason, "missing-extension");
});

test("QUIC: early data have their keys beside the handshake's, and no EndOfEarlyData", () => {
  const sessions = { take: () => undefined, add: () => undefined };
  const server = { ...quic.server, tickets, earlyDataMax: 1, antiReplay: { judge: () => "fresh" as const } };
  const first = shake(dialects.quic, { client: { ...quic.client, sessions }, server });
  assert.equal(first.client.session?.earlyDataMax, 0xffff_ffff, "RFC 9001 §4.6.1");
  const again = shake(dialects.quic, {
    client: { ...quic.client, sessions, earlyData: true },
    server,
    session: first.client.session!,
  });
  assert.equal(again.client.failure?.message ?? again.server.failure?.message, undefined);
  assert.equal(again.client.outcome?.earlyData, "accepted");
  assert.equal(again.client.keys.get("early write"), again.server.keys.get("early read"));
  assert.equal(again.client.keys.get("handshake write"), again.server.keys.get("handshake read"));
  assert.ok(!again.client.said.includes("early 5"), again.client.said.join());
});

test("QUIC: a KeyUpdate message is unexpected (RFC 9001 §6)", () => {
  const { client } = shake(dialects.quic, quic);
  client.handshake.receive("application", Uint8Array.of(24, 0, 0, 1, 0), startOfTime);
  assert.equal(client.handshake.failure?.reason, "unexpected-message");
});

test("DTLS: other version codes, other labels, a cookie field, and no record of TLS's", () => {
  const { client, server, hello } = shake(dialects.dtls);
  assert.equal(client.failure?.message ?? server.failure?.message, undefined);
  const sent = decode(clientHello(true), hello.subarray(4));
  assert.equal(sent.legacyVersion, 0xfefd);
  assert.ok(sent.extensions.get(ext.supportedVersions)?.includes(0xfefc));
  assert.equal(client.keys.get("application write"), server.keys.get("application read"));
  const tls = shake(dialects.tls);
  assert.notEqual(client.keys.get("application write"), tls.client.keys.get("application write"));
  assert.ok(!client.said.includes("change-cipher-spec"));
  client.handshake.updateKeys(true, startOfTime);
});

test("an exporter gives both ends the same in every dialect, and each label its own", () => {
  for (const dialect of [dialects.tls, dialects.dtls, dialects.quic]) {
    const { client, server } = shake(dialect, dialect.name === "quic" ? quic : {});
    const one = client.handshake.exportKey("EXPORTER-one", 32, utf8("c"));
    assert.ok(equal(one, server.handshake.exportKey("EXPORTER-one", 32, utf8("c"))));
    assert.ok(!equal(one, client.handshake.exportKey("EXPORTER-two", 32, utf8("c"))));
    assert.ok(!equal(one, client.handshake.exportKey("EXPORTER-one", 32)));
  }
});

test("reserved values of RFC 8701 are in the hello, differ from session to session, and can be left out", () => {
  const reserved = (seed: string, grease: boolean) => {
    const handshake = clientHandshake(clientConfig({ crypto, entropy: seededEntropy(seed) }, { grease }));
    handshake.start(startOfTime);
    const output = handshake.output();
    assert.ok(output?.kind === "message");
    const hello = decode(clientHello(false), output.bytes.subarray(4));
    const isReserved = (code: number) => (code & 0x0f0f) === 0x0a0a && code >> 8 === (code & 255);
    return [
      ...hello.suites,
      ...hello.extensions.items.map(({ type }) => type),
      ...(hello.extensions.get(ext.supportedVersions) ?? []),
      ...(hello.extensions.get(ext.supportedGroups) ?? []),
    ].filter(isReserved);
  };
  assert.equal(reserved("a", true).length, 5);
  assert.notDeepEqual(reserved("a", true), reserved("b", true));
  assert.deepEqual(reserved("a", false), []);
});

test("as many tickets come as were asked for, and no more than the server gives", async () => {
  const { resumption, shake: shakeMachines } = await import("../../../support/tls-pair.js");
  const count = async (newSession: number, ticketCount: number) => {
    const { client, server } = resumption();
    const pair = await shakeMachines({
      client: { versions: ["1.3"], ...client, ticketRequest: { newSession, resumption: 1 } },
      server: { ...server, ticketCount },
    });
    return pair.client.told.filter((kind) => kind === "ticket").length;
  };
  assert.equal(await count(1, 2), 1);
  assert.equal(await count(0, 2), 0);
  assert.equal(await count(4, 2), 4);
  assert.equal(await count(100, 2), 8);
});
