import { decode, encode, utf8 } from "../../../bytes/index.js";
import type { ClientConfig } from "../config.js";
import { refuse, tlsFailure } from "../failure.js";
import { writeCertificate } from "../handshake/certificate.js";
import type { ConnectedState, Context, State } from "../handshake/context.js";
import { expect } from "../handshake/expect.js";
import { KeyUpdates } from "../handshake/key-updates.js";
import { remember, verifyContent } from "../handshake/proof.js";
import type { Transcript } from "../handshake/transcript.js";
import { limits } from "../limits.js";
import { type CertificateRequest, certificateVerify } from "../messages/authentication.js";
import { ext } from "../messages/extensions.js";
import { frame, handshakeType, type Message } from "../messages/handshake.js";
import { newSessionTicket } from "../messages/post-handshake.js";
import type { CertificateType, TlsIdentity, TlsOutcome } from "../options.js";
import type { SessionKeys } from "../session-keys.js";
import type { ClientSession } from "../store/session.js";
import { chooseScheme, identityAsk } from "./authentication.js";
import { readRequest } from "./certificate.js";

type Cx = Context<ClientConfig>;

/** A client's session: tickets, key updates, requests to authenticate (RFC 9846 §4.7). */
export class ConnectedClient implements ConnectedState<ClientConfig> {
  readonly name = "a post-handshake message";
  readonly epoch = "application";
  readonly connected = true;
  readonly #clientCertificateType: CertificateType;
  readonly #keys: SessionKeys;
  readonly #outcome: TlsOutcome;
  /** Kept only if the server may ask for a certificate later. */
  readonly #transcript: Transcript | undefined;
  readonly #updates: KeyUpdates;
  #tickets = 0;

  constructor(
    clientCertificateType: CertificateType,
    keys: SessionKeys,
    outcome: TlsOutcome,
    transcript: Transcript | undefined,
  ) {
    this.#clientCertificateType = clientCertificateType;
    this.#keys = keys;
    this.#outcome = outcome;
    this.#transcript = transcript;
    this.#updates = new KeyUpdates(keys, "client");
  }

  handle(message: Message, cx: Cx): State<ClientConfig> {
    switch (message.type) {
      case handshakeType.newSessionTicket:
        this.#ticket(message.body, cx);
        return this;
      case handshakeType.certificateRequest:
        this.#authenticate(message, cx);
        return this;
      default:
        this.#updates.receive(expect(message, handshakeType.keyUpdate), cx);
        return this;
    }
  }

  updateKeys(cx: Cx, requestPeer: boolean): void {
    this.#updates.send(cx, requestPeer);
  }

  requestAuthentication(): void {
    throw tlsFailure("misuse", "requestAuthentication", "only a server may ask for a certificate");
  }

  /** RFC 9846 §4.7.1. */
  #ticket(body: Uint8Array, cx: Cx): void {
    const ticket = decode(newSessionTicket, body);
    ticket.extensions.checkPlaces("NewSessionTicket");
    if (++this.#tickets > limits.ticketsMax) refuse("too-many-tickets", "NewSessionTicket", "a flood of tickets");
    const earlyDataMax = ticket.extensions.get(ext.earlyData) ?? 0;
    const fixed = cx.config.dialect.earlyDataMax;
    if (fixed !== undefined && earlyDataMax !== 0 && earlyDataMax !== fixed) {
      refuse("illegal-parameter", "NewSessionTicket", "max_early_data_size must be 0xffffffff (RFC 9001 §4.6.1)");
    }
    if (ticket.lifetimeSeconds === 0 || cx.config.options.sessions === undefined) return;
    const secret = this.#keys.ticketSecret(ticket.nonce);
    const session: ClientSession = {
      version: 0x0304,
      suite: this.#keys.suite.id,
      secret: secret.expose(),
      issuedAt: cx.now,
      lifetimeS: Math.min(ticket.lifetimeSeconds, 604_800),
      ageAdd: ticket.ageAdd,
      extendedMasterSecret: true,
      earlyDataMax,
      serverName: this.#outcome.serverName ?? "",
      alpn: utf8(this.#outcome.alpn ?? ""),
      peer: remember(this.#outcome.peer),
      applicationData: new Uint8Array(0),
      ticket: ticket.ticket.slice(),
      sessionId: new Uint8Array(0),
    };
    cx.askAside("store-session", { session });
    cx.out.push({ kind: "ticket" });
  }

  /** RFC 9846 §4.7.2: our three messages go out together, whenever the signature is there. */
  #authenticate(message: Message, cx: Cx): void {
    const at = "CertificateRequest";
    const transcript = this.#transcript?.clone();
    if (transcript === undefined) refuse("unexpected-message", at, "post_handshake_auth was not offered");
    if (++cx.quietMessages > limits.postHandshakeRequestsMax) {
      refuse("too-many-requests", at, "the server asks for certificates again and again");
    }
    const request = readRequest(message.body);
    if (request.context.length === 0) refuse("wrong-request-context", at, "certificate_request_context is empty");
    transcript.add(message.bytes);
    cx.askAside("select-identity", identityAsk(request, this.#clientCertificateType), (identity) => {
      const scheme = identity && chooseScheme(cx.config, request, identity);
      const shown = scheme === undefined ? undefined : identity;
      const certificate = this.#certificate(request, shown);
      transcript.add(certificate);
      if (shown === undefined || scheme === undefined) {
        this.#respond(cx, transcript, [certificate]);
        return;
      }
      const content = verifyContent("client", transcript.digest());
      const ask = { identity: shown, scheme: scheme.name, algorithm: scheme.algorithm, message: content };
      cx.askAside("sign", ask, (signature) => {
        if (signature === undefined) refuse("signer-refused", "CertificateVerify", "the identity did not sign");
        const body = encode(certificateVerify, { scheme: scheme.id, signature });
        const verify = frame(handshakeType.certificateVerify, body);
        transcript.add(verify);
        this.#respond(cx, transcript, [certificate, verify]);
      });
    });
  }

  #certificate(request: CertificateRequest, identity: TlsIdentity | undefined): Uint8Array {
    const body = writeCertificate(identity, {
      context: request.context,
      status: request.extensions.has(ext.statusRequest),
      timestamps: request.extensions.has(ext.signedCertificateTimestamp),
      delegated: false,
      type: this.#clientCertificateType,
    });
    return frame(handshakeType.certificate, body);
  }

  #respond(cx: Cx, transcript: Transcript, messages: readonly Uint8Array[]): void {
    const verifyData = this.#keys.labels.verifyData(this.#keys.client, transcript.digest());
    for (const bytes of [...messages, frame(handshakeType.finished, verifyData)]) {
      cx.put("application", bytes[0]!, bytes);
    }
  }
}
