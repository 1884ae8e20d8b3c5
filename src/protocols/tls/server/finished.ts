import type { ServerConfig } from "../config.js";
import { refuse } from "../failure.js";
import { readCertificate } from "../handshake/certificate.js";
import { checkFinished } from "../handshake/check-finished.js";
import type { Context, State } from "../handshake/context.js";
import { expect } from "../handshake/expect.js";
import { type JudgedPeer, type ProvenPeer, recall, verifyContent } from "../handshake/proof.js";
import { checkVerify, judgePeer } from "../handshake/verify.js";
import type { MainSecret } from "../keys13.js";
import { ext } from "../messages/extensions.js";
import { handshakeType, type Message } from "../messages/handshake.js";
import type { TlsOutcome } from "../options.js";
import type { SessionKeys } from "../session-keys.js";
import { ConnectedServer } from "./connected.js";
import { type Answered, requestedExtensions } from "./flight.js";

type Cx = Context<ServerConfig>;

/** What the states of the client's flight have in common. */
interface Awaited {
  readonly answered: Answered;
  readonly keys: SessionKeys;
  readonly main: MainSecret;
}

/** The server has said all; now the client's flight. */
export function awaitClient(cx: Cx, answered: Answered, keys: SessionKeys, main: MainSecret): State<ServerConfig> {
  const awaited = { answered, keys, main };
  return answered.earlyData === "accepted" && cx.config.dialect.endOfEarlyData
    ? new ExpectEndOfEarlyData(awaited)
    : awaitCertificate(awaited);
}

const awaitCertificate = (awaited: Awaited): State<ServerConfig> =>
  awaited.answered.asked ? new ExpectCertificate(awaited) : new ExpectFinished(awaited, undefined);

/** RFC 9846 §4.6. */
class ExpectEndOfEarlyData implements State<ServerConfig> {
  readonly name = "EndOfEarlyData";
  readonly epoch = "early";
  readonly #awaited: Awaited;

  constructor(awaited: Awaited) {
    this.#awaited = awaited;
  }

  handle(message: Message, cx: Cx): State<ServerConfig> {
    const body = expect(message, handshakeType.endOfEarlyData);
    if (body.length > 0) refuse("malformed-message", this.name, "it has a body");
    cx.transcript.add(message.bytes);
    const { suite, clientTraffic } = this.#awaited.answered;
    cx.keys("handshake", "read", { version: "1.3", suite, secret: clientTraffic });
    return awaitCertificate(this.#awaited);
  }
}

class ExpectCertificate implements State<ServerConfig> {
  readonly name = "Certificate";
  readonly epoch = "handshake";
  readonly #awaited: Awaited;

  constructor(awaited: Awaited) {
    this.#awaited = awaited;
  }

  handle(message: Message, cx: Cx): State<ServerConfig> {
    return readCertificate(message, cx, (certificate) => {
      cx.transcript.add(message.bytes);
      if (certificate.context.length > 0)
        refuse("wrong-request-context", this.name, "the context is not what was asked");
      if (certificate.entries.length === 0) {
        if (cx.config.options.clientAuthentication === "require") {
          refuse("certificate-required", this.name, "the client showed no certificate");
        }
        return new ExpectFinished(this.#awaited, undefined);
      }
      for (const entry of certificate.entries) entry.extensions.checkAnswers(requestedExtensions(cx.config), this.name);
      const type = this.#awaited.answered.clientCertificateType;
      return judgePeer(cx, certificate, type, undefined, (judged) => {
        return new ExpectCertificateVerify(this.#awaited, judged);
      });
    });
  }
}

class ExpectCertificateVerify implements State<ServerConfig> {
  readonly name = "CertificateVerify";
  readonly epoch = "handshake";
  readonly #awaited: Awaited;
  readonly #judged: JudgedPeer;

  constructor(awaited: Awaited, judged: JudgedPeer) {
    this.#awaited = awaited;
    this.#judged = judged;
  }

  handle(message: Message, cx: Cx): State<ServerConfig> {
    const body = expect(message, handshakeType.certificateVerify);
    const content = verifyContent("client", cx.transcript.digest());
    const scheme = checkVerify(this.#judged, body, content);
    cx.transcript.add(message.bytes);
    return new ExpectFinished(this.#awaited, { ...this.#judged, scheme });
  }
}

class ExpectFinished implements State<ServerConfig> {
  readonly name = "Finished";
  readonly epoch = "handshake";
  readonly #awaited: Awaited;
  readonly #peer: ProvenPeer | undefined;

  constructor(awaited: Awaited, peer: ProvenPeer | undefined) {
    this.#awaited = awaited;
    this.#peer = peer;
  }

  handle(message: Message, cx: Cx): State<ServerConfig> {
    const body = expect(message, handshakeType.finished);
    const { answered, keys, main } = this.#awaited;
    const { clientTraffic, suite } = answered;
    checkFinished(keys.labels, clientTraffic, cx.transcript.digest(), body);
    cx.transcript.add(message.bytes);
    clientTraffic.wipe();
    keys.resumption = main.resumption(cx.transcript.digest());
    main.wipe();
    cx.keys("application", "read", { version: "1.3", suite, secret: keys.client });
    const outcome = this.#outcome(cx);
    cx.confirmed(outcome);
    const { request, psk, clientCertificateType } = answered;
    // RFC 9846 §4.4.2: not of a client whose external key stands for it.
    const later = request.hello.extensions.has(ext.postHandshakeAuth) && psk?.origin.kind !== "external";
    const connected = new ConnectedServer(clientCertificateType, keys, outcome, cx.leaveTranscript(later));
    connected.issueTickets(cx, answered);
    return connected;
  }

  #outcome(cx: Cx): TlsOutcome {
    const { suite, group, psk, alpn, earlyData, extensions, request, retried, identity } = this.#awaited.answered;
    const origin = psk?.origin;
    return {
      version: "1.3",
      suite: suite.name,
      group: group?.name,
      peer:
        origin?.kind === "external"
          ? { kind: "pre-shared-key", identity: origin.psk.identity }
          : origin?.kind === "session"
            ? recall(origin.session.peer, (spki) => cx.config.crypto.publicKey(spki))
            : this.#peer?.identity,
      peerScheme: this.#peer?.scheme,
      identity,
      alpn,
      serverName: request.serverName,
      mode: origin === undefined ? "full" : origin.kind === "session" ? "resumed" : "psk",
      roundTrips: earlyData === "accepted" ? 0 : retried ? 2 : 1,
      retried,
      earlyData,
      extensions,
      ocspResponse: this.#peer?.ocspResponse,
      signedCertificateTimestamps: this.#peer?.signedCertificateTimestamps,
      encryptedClientHello: request.ech?.status ?? "not-offered",
      at: cx.now,
    };
  }
}
