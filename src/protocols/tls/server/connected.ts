import { encode, Reader, toHex, utf8 } from "../../../bytes/index.js";
import type { ServerConfig } from "../config.js";
import { refuse, tlsFailure } from "../failure.js";
import { readCertificate } from "../handshake/certificate.js";
import { checkFinished } from "../handshake/check-finished.js";
import type { ConnectedState, Context, State } from "../handshake/context.js";
import { expect } from "../handshake/expect.js";
import { KeyUpdates } from "../handshake/key-updates.js";
import { type JudgedPeer, remember, verifyContent } from "../handshake/proof.js";
import type { Transcript } from "../handshake/transcript.js";
import { checkVerify, judgePeer } from "../handshake/verify.js";
import { limits } from "../limits.js";
import { type Extension, ExtensionBlock, ext, extension } from "../messages/extensions.js";
import { frame, handshakeType, type Message } from "../messages/handshake.js";
import { newSessionTicket } from "../messages/post-handshake.js";
import type { CertificateType, TlsOutcome } from "../options.js";
import type { SessionKeys } from "../session-keys.js";
import type { ResumableSession } from "../store/session.js";
import { type Answered, requestBody, requestedExtensions, ticketCount } from "./flight.js";

type Cx = Context<ServerConfig>;

/** A server's session: tickets go out, key updates both ways, clients authenticate later (RFC 9846 §4.7). */
export class ConnectedServer implements ConnectedState<ServerConfig> {
  readonly name = "a post-handshake message";
  readonly epoch = "application";
  readonly connected = true;
  readonly #clientCertificateType: CertificateType;
  readonly #keys: SessionKeys;
  /** Kept only if the client offered to authenticate later. */
  readonly #transcript: Transcript | undefined;
  readonly #updates: KeyUpdates;
  /** Requests without an answer yet, by context. */
  readonly #requests = new Map<string, Transcript>();
  #outcome: TlsOutcome;
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
    this.#updates = new KeyUpdates(keys, "server");
  }

  handle(message: Message, cx: Cx): State<ServerConfig> {
    if (message.type === handshakeType.certificate || message.type === handshakeType.compressedCertificate) {
      return this.#certificate(message, cx);
    }
    this.#updates.receive(expect(message, handshakeType.keyUpdate), cx);
    return this;
  }

  updateKeys(cx: Cx, requestPeer: boolean): void {
    this.#updates.send(cx, requestPeer);
  }

  /** RFC 9846 §4.7.2: the context is unpredictable. */
  requestAuthentication(cx: Cx): void {
    const transcript = this.#transcript?.clone();
    if (transcript === undefined) {
      throw tlsFailure("misuse", "requestAuthentication", "the client did not offer post_handshake_auth");
    }
    if (this.#requests.size >= limits.postHandshakeRequestsMax) {
      throw tlsFailure("misuse", "requestAuthentication", "too many requests are open");
    }
    const context = cx.random(16);
    const bytes = frame(handshakeType.certificateRequest, requestBody(cx.config, context));
    transcript.add(bytes);
    this.#requests.set(toHex(context), transcript);
    cx.put("application", handshakeType.certificateRequest, bytes);
  }

  /** NewSessionTicket, §4.7.1: as many as are wanted, each with a key of its own. */
  issueTickets(cx: Cx, { request, psk }: Answered): void {
    const { config } = cx;
    if (config.options.tickets === undefined || request.pskModes.length === 0) return;
    if (psk?.origin.kind === "external") return;
    const count = ticketCount(config, request, psk !== undefined);
    for (let i = 0; i < count; i++) this.#issueTicket(cx);
  }

  #issueTicket(cx: Cx): void {
    const { config } = cx;
    const nonce = Uint8Array.of(this.#tickets >> 8, this.#tickets++ & 255);
    const ageAdd = new Reader(cx.random(4)).u32();
    const wanted = config.options.earlyDataMax ?? 0;
    const earlyDataMax = wanted === 0 ? 0 : (config.dialect.earlyDataMax ?? wanted);
    const session: ResumableSession = {
      version: 0x0304,
      suite: this.#keys.suite.id,
      secret: this.#keys.ticketSecret(nonce).expose(),
      issuedAt: cx.now,
      lifetimeS: Math.min(config.options.ticketLifetimeS ?? 7_200, 604_800),
      ageAdd,
      extendedMasterSecret: true,
      earlyDataMax,
      serverName: this.#outcome.serverName ?? "",
      alpn: utf8(this.#outcome.alpn ?? ""),
      peer: remember(this.#outcome.peer),
      applicationData: new Uint8Array(0),
    };
    cx.askAside("issue-ticket", { session, at: cx.now }, (ticket) => {
      if (ticket === undefined || ticket.length === 0 || ticket.length > 65_535) return;
      const items: Extension[] = earlyDataMax === 0 ? [] : [extension("NST", ext.earlyData, earlyDataMax)];
      const body = encode(newSessionTicket, {
        lifetimeSeconds: session.lifetimeS,
        ageAdd,
        nonce,
        ticket,
        extensions: new ExtensionBlock("NST", items),
      });
      cx.put("application", handshakeType.newSessionTicket, frame(handshakeType.newSessionTicket, body));
    });
  }

  /** The answer to a request of ours: Certificate, CertificateVerify, Finished, one behind the other. */
  #certificate(message: Message, cx: Cx): State<ServerConfig> {
    return readCertificate(message, cx, (certificate) => {
      const context = toHex(certificate.context);
      const transcript = this.#requests.get(context);
      if (transcript === undefined) refuse("unexpected-message", "Certificate", "no certificate was asked for");
      this.#requests.delete(context);
      transcript.add(message.bytes);
      if (certificate.entries.length === 0) return new ExpectLateFinished(this, transcript, undefined);
      for (const entry of certificate.entries) {
        entry.extensions.checkAnswers(requestedExtensions(cx.config), "Certificate");
      }
      const type = this.#clientCertificateType;
      return judgePeer(cx, certificate, type, undefined, (judged) => new ExpectLateVerify(this, transcript, judged));
    });
  }

  /** What the states of a late authentication come back to. */
  authenticated(cx: Cx, transcript: Transcript, body: Uint8Array, peer: TlsOutcome["peer"]): this {
    checkFinished(this.#keys.labels, this.#keys.client, transcript.digest(), body);
    this.#outcome = { ...this.#outcome, peer };
    cx.out.push({ kind: "authenticated", peer });
    return this;
  }
}

class ExpectLateVerify implements State<ServerConfig> {
  readonly name = "CertificateVerify";
  readonly epoch = "application";
  readonly #session: ConnectedServer;
  readonly #transcript: Transcript;
  readonly #judged: JudgedPeer;

  constructor(session: ConnectedServer, transcript: Transcript, judged: JudgedPeer) {
    this.#session = session;
    this.#transcript = transcript;
    this.#judged = judged;
  }

  handle(message: Message): State<ServerConfig> {
    const body = expect(message, handshakeType.certificateVerify);
    const content = verifyContent("client", this.#transcript.digest());
    checkVerify(this.#judged, body, content);
    this.#transcript.add(message.bytes);
    return new ExpectLateFinished(this.#session, this.#transcript, this.#judged.identity);
  }
}

class ExpectLateFinished implements State<ServerConfig> {
  readonly name = "Finished";
  readonly epoch = "application";
  readonly #session: ConnectedServer;
  readonly #transcript: Transcript;
  readonly #peer: TlsOutcome["peer"];

  constructor(session: ConnectedServer, transcript: Transcript, peer: TlsOutcome["peer"]) {
    this.#session = session;
    this.#transcript = transcript;
    this.#peer = peer;
  }

  handle(message: Message, cx: Cx): State<ServerConfig> {
    const body = expect(message, handshakeType.finished);
    return this.#session.authenticated(cx, this.#transcript, body, this.#peer);
  }
}
