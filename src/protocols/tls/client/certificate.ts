import { decode } from "../../../bytes/index.js";
import type { ClientConfig } from "../config.js";
import { refuse } from "../failure.js";
import { readCertificate } from "../handshake/certificate.js";
import type { Context, State } from "../handshake/context.js";
import { expect } from "../handshake/expect.js";
import { type JudgedPeer, verifyContent } from "../handshake/proof.js";
import { checkVerify, judgePeer } from "../handshake/verify.js";
import { type Certificate, type CertificateRequest, certificateRequest } from "../messages/authentication.js";
import { ext } from "../messages/extensions.js";
import { handshakeType, type Message } from "../messages/handshake.js";
import type { Negotiated } from "./encrypted-extensions.js";
import { ExpectFinished } from "./finished.js";

type Cx = Context<ClientConfig>;

/** The server proves itself; first it may ask us to do so too. */
export class ExpectCertificateOrRequest implements State<ClientConfig> {
  readonly name = "CertificateRequest or Certificate";
  readonly epoch = "handshake";
  readonly #negotiated: Negotiated;

  constructor(negotiated: Negotiated) {
    this.#negotiated = negotiated;
  }

  handle(message: Message, cx: Cx): State<ClientConfig> {
    if (message.type !== handshakeType.certificateRequest) {
      return new ExpectCertificate(this.#negotiated, undefined).handle(message, cx);
    }
    const request = readRequest(message.body);
    if (request.context.length > 0) {
      refuse("wrong-request-context", "CertificateRequest", "certificate_request_context is for after the handshake");
    }
    cx.transcript.add(message.bytes);
    return new ExpectCertificate(this.#negotiated, request);
  }
}

/** RFC 9846 §4.4.2: signature_algorithms must be there. */
export function readRequest(body: Uint8Array): CertificateRequest {
  const request = decode(certificateRequest, body);
  request.extensions.checkPlaces("CertificateRequest");
  if (!request.extensions.has(ext.signatureAlgorithms)) {
    refuse("missing-extension", "CertificateRequest", "signature_algorithms is missing");
  }
  return request;
}

class ExpectCertificate implements State<ClientConfig> {
  readonly name = "Certificate";
  readonly epoch = "handshake";
  readonly #negotiated: Negotiated;
  readonly #request: CertificateRequest | undefined;

  constructor(negotiated: Negotiated, request: CertificateRequest | undefined) {
    this.#negotiated = negotiated;
    this.#request = request;
  }

  handle(message: Message, cx: Cx): State<ClientConfig> {
    return readCertificate(message, cx, (certificate) => {
      cx.transcript.add(message.bytes);
      return this.#judge(certificate, cx);
    });
  }

  #judge(certificate: Certificate, cx: Cx): State<ClientConfig> {
    const { offer, serverCertificateType } = this.#negotiated;
    if (certificate.context.length > 0) refuse("wrong-request-context", this.name, "a server's context must be empty");
    for (const entry of certificate.entries) entry.extensions.checkAnswers(offer.offered, this.name);
    return judgePeer(cx, certificate, serverCertificateType, offer.serverName, (judged) => {
      return new ExpectCertificateVerify(this.#negotiated, this.#request, judged);
    });
  }
}

class ExpectCertificateVerify implements State<ClientConfig> {
  readonly name = "CertificateVerify";
  readonly epoch = "handshake";
  readonly #negotiated: Negotiated;
  readonly #request: CertificateRequest | undefined;
  readonly #judged: JudgedPeer;

  constructor(negotiated: Negotiated, request: CertificateRequest | undefined, judged: JudgedPeer) {
    this.#negotiated = negotiated;
    this.#request = request;
    this.#judged = judged;
  }

  handle(message: Message, cx: Cx): State<ClientConfig> {
    const body = expect(message, handshakeType.certificateVerify);
    const content = verifyContent("server", cx.transcript.digest());
    const scheme = checkVerify(this.#judged, body, content);
    cx.transcript.add(message.bytes);
    return new ExpectFinished(this.#negotiated, { ...this.#judged, scheme }, this.#request);
  }
}
