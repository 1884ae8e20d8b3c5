import { encode } from "../../../bytes/index.js";
import type { Secret } from "../../../contract/index.js";
import type { ClientConfig } from "../config.js";
import { echRequired } from "../ech/required.js";
import { writeCertificate } from "../handshake/certificate.js";
import { checkFinished } from "../handshake/check-finished.js";
import type { Context, State } from "../handshake/context.js";
import { expect } from "../handshake/expect.js";
import { type ProvenPeer, recall, verifyContent } from "../handshake/proof.js";
import type { MainSecret } from "../keys13.js";
import { type CertificateRequest, certificateVerify } from "../messages/authentication.js";
import { ext } from "../messages/extensions.js";
import { handshakeType, type Message } from "../messages/handshake.js";
import type { TlsIdentity, TlsOutcome } from "../options.js";
import { SessionKeys } from "../session-keys.js";
import { proveIdentity } from "./authentication.js";
import { ConnectedClient } from "./connected.js";
import type { Negotiated } from "./encrypted-extensions.js";
import { openHandshakeWrite } from "./server-hello.js";

type Cx = Context<ClientConfig>;

/** The server's Finished; then our own flight, and the session begins. */
export class ExpectFinished implements State<ClientConfig> {
  readonly name = "Finished";
  readonly epoch = "handshake";
  readonly #negotiated: Negotiated;
  /** Absent with a PSK. */
  readonly #peer: ProvenPeer | undefined;
  readonly #request: CertificateRequest | undefined;

  constructor(negotiated: Negotiated, peer: ProvenPeer | undefined, request: CertificateRequest | undefined) {
    this.#negotiated = negotiated;
    this.#peer = peer;
    this.#request = request;
  }

  handle(message: Message, cx: Cx): State<ClientConfig> {
    const body = expect(message, handshakeType.finished);
    const { secret, suite, serverTraffic, earlyData, offer } = this.#negotiated;
    const { labels } = secret;
    checkFinished(labels, serverTraffic, cx.transcript.digest(), body);
    if (offer.encryptedClientHello === "rejected") throw echRequired(this.#negotiated.retryConfigs);
    cx.transcript.add(message.bytes);
    const main = secret.main();
    const finishedHash = cx.transcript.digest();
    const keys = new SessionKeys(cx.config.crypto, labels, suite, {
      client: main.clientTraffic(finishedHash),
      server: main.serverTraffic(finishedHash),
      exporter: main.exporter(finishedHash),
    });
    keys.log(cx);
    const shown = this.#peer?.identity;
    keys.serverCertificate = shown?.kind === "certificate" ? shown.chain[0] : undefined;
    cx.exporter = keys;
    // The server's application data may be right behind; ours wait for our Finished.
    cx.keys("application", "read", { version: "1.3", suite, secret: keys.server });
    if (earlyData === "accepted" && cx.config.dialect.endOfEarlyData) {
      cx.send("early", handshakeType.endOfEarlyData, new Uint8Array(0));
      openHandshakeWrite(cx, offer, this.#negotiated);
    }
    const request = this.#request;
    if (request === undefined) return this.#finish(main, keys, undefined, cx);
    return proveIdentity(cx, request, this.#negotiated, "handshake", (proof) => {
      const type = proof.identity === undefined ? "x509" : this.#negotiated.clientCertificateType;
      const wishes = {
        context: request.context,
        status: request.extensions.has(ext.statusRequest),
        timestamps: request.extensions.has(ext.signedCertificateTimestamp),
        delegated: proof.delegated,
        type,
      };
      cx.send("handshake", handshakeType.certificate, writeCertificate(proof.identity, wishes));
      return proof.sign(verifyContent("client", cx.transcript.digest()), (signed) => {
        if (signed !== undefined) {
          cx.send("handshake", handshakeType.certificateVerify, encode(certificateVerify, signed));
        }
        return this.#finish(main, keys, proof.identity, cx);
      });
    });
  }

  #finish(main: MainSecret, keys: SessionKeys, identity: TlsIdentity | undefined, cx: Cx): State<ClientConfig> {
    const { secret, suite, clientTraffic, serverTraffic } = this.#negotiated;
    const verifyData = secret.labels.verifyData(clientTraffic, cx.transcript.digest());
    cx.send("handshake", handshakeType.finished, verifyData);
    keys.resumption = main.resumption(cx.transcript.digest());
    main.wipe();
    cx.keys("application", "write", { version: "1.3", suite, secret: keys.client });
    wipeAll(clientTraffic, serverTraffic);
    const outcome = this.#outcome(identity, cx);
    cx.confirmed(outcome);
    const { offer, clientCertificateType } = this.#negotiated;
    const transcript = cx.leaveTranscript(offer.offered.has(ext.postHandshakeAuth.type));
    return new ConnectedClient(clientCertificateType, keys, outcome, transcript);
  }

  #outcome(identity: TlsIdentity | undefined, cx: Cx): TlsOutcome {
    const { suite, group, psk, alpn, earlyData, extensions, offer } = this.#negotiated;
    const origin = psk?.origin;
    const resumed = origin?.kind === "session" ? origin.session : undefined;
    const spki = (der: Uint8Array) => cx.config.crypto.publicKey(der);
    return {
      version: "1.3",
      suite: suite.name,
      group: group?.name,
      peer:
        origin?.kind === "external"
          ? { kind: "pre-shared-key", identity: origin.psk.identity }
          : resumed !== undefined
            ? recall(resumed.peer, spki)
            : this.#peer?.identity,
      peerScheme: this.#peer?.scheme,
      identity,
      alpn,
      serverName: offer.serverName,
      mode: origin === undefined ? "full" : origin.kind === "session" ? "resumed" : "psk",
      roundTrips: earlyData === "accepted" ? 0 : offer.retry === undefined ? 1 : 2,
      retried: offer.retry !== undefined,
      earlyData,
      extensions,
      ocspResponse: this.#peer?.ocspResponse,
      signedCertificateTimestamps: this.#peer?.signedCertificateTimestamps,
      encryptedClientHello: offer.encryptedClientHello,
      at: cx.now,
    };
  }
}

function wipeAll(...secrets: readonly Secret[]): void {
  for (const secret of secrets) secret.wipe();
}
