import { concat, decode, encode } from "../../../bytes/index.js";
import { type PeerIdentity, Secret } from "../../../contract/index.js";
import type { Offer } from "../client/offer.js";
import type { ClientConfig } from "../config.js";
import { echRequired } from "../ech/required.js";
import { refuse } from "../failure.js";
import type { Context, State } from "../handshake/context.js";
import { expect } from "../handshake/expect.js";
import { recall, remember } from "../handshake/proof.js";
import type { PeerVerdict } from "../handshake/questions.js";
import { pskPremaster } from "../keys12.js";
import { certificateVerify } from "../messages/authentication.js";
import { handshakeType, type Message } from "../messages/handshake.js";
import type { ServerHello } from "../messages/hello.js";
import type { ExternalPsk, TlsIdentity, TlsOutcome } from "../options.js";
import type { Scheme } from "../parameters/schemes.js";
import { ticketLifetimeMaxS } from "../store/limits.js";
import type { ClientSession } from "../store/session.js";
import { type Agreed12, agree } from "./agreed.js";
import { answerExchange } from "./exchange.js";
import {
  certificate12,
  certificateRequest12,
  certificateStatus,
  clientKeyExchange,
  exchangeParts,
  newSessionTicket12,
  rawPublicKey12,
  type ServerKeyExchange,
  serverKeyExchange,
  serverShare,
} from "./messages.js";
import { Connected12, Session12 } from "./session.js";
import { checkSignature, chooseScheme, keyTypesOf, writeCertificates } from "./signing.js";

/*
 *   Client                                            Server
 *   ClientHello              ──────────────────►
 *                                                     ServerHello, Certificate*, CertificateStatus*,
 *                            ◄──────────────────      ServerKeyExchange*, CertificateRequest*, ServerHelloDone
 *   Certificate*, ClientKeyExchange,
 *   CertificateVerify*, [ChangeCipherSpec], Finished  ─►
 *                            ◄──────────────────      NewSessionTicket*, [ChangeCipherSpec], Finished
 *
 * and when a session is resumed:
 *
 *   ClientHello              ──────────────────►
 *                            ◄──────────────────      ServerHello, NewSessionTicket*, [ChangeCipherSpec], Finished
 *   [ChangeCipherSpec], Finished  ─────────────►
 */

type Cx = Context<ClientConfig>;
type Next = State<ClientConfig>;

/** Goes on in 1.2 after a ServerHello that said so. */
export function continueClient12(offer: Offer, hello: ServerHello<"SH12">, message: Message, cx: Cx): Next {
  cx.transcript.add(message.bytes);
  const agreed = agree(offer, hello, cx);
  cx.transcript.start(cx.config.crypto.hash(agreed.suite.hash), true, cx.config.dialect.sequencedTranscript12);
  if (agreed.resumed !== undefined) return resume(agreed, agreed.resumed, cx);
  return agreed.suite.authentication === "PSK"
    ? new ExpectServerKeyExchange(agreed, { certificates: [], rawPublicKey: undefined, ocspResponse: undefined })
    : new ExpectCertificate(agreed);
}

/** What the server has shown of itself. */
interface Shown {
  readonly certificates: readonly Uint8Array[];
  readonly rawPublicKey: Uint8Array | undefined;
  readonly ocspResponse: Uint8Array | undefined;
}

class ExpectCertificate implements State<ClientConfig> {
  readonly name = "Certificate";
  readonly epoch = "initial";
  readonly #agreed: Agreed12;
  constructor(agreed: Agreed12) {
    this.#agreed = agreed;
  }

  handle(message: Message, cx: Cx): Next {
    const body = expect(message, handshakeType.certificate);
    cx.transcript.add(message.bytes);
    const raw = this.#agreed.serverCertificateType === "raw-public-key";
    const rawPublicKey = raw ? decode(rawPublicKey12, body) : undefined;
    const certificates = raw ? [] : decode(certificate12, body);
    if (!raw && certificates.length === 0)
      refuse("missing-certificate", "Certificate", "a server without a certificate");
    const shown = { certificates, rawPublicKey, ocspResponse: undefined };
    return this.#agreed.statusExpected
      ? new ExpectCertificateStatus(this.#agreed, shown)
      : new ExpectServerKeyExchange(this.#agreed, shown);
  }
}

/** A server that promised CertificateStatus may still leave it out: RFC 6066 §8. */
class ExpectCertificateStatus implements State<ClientConfig> {
  readonly name = "CertificateStatus or ServerKeyExchange";
  readonly epoch = "initial";
  readonly #agreed: Agreed12;
  readonly #shown: Shown;
  constructor(agreed: Agreed12, shown: Shown) {
    this.#agreed = agreed;
    this.#shown = shown;
  }

  handle(message: Message, cx: Cx): Next {
    if (message.type !== handshakeType.certificateStatus) {
      return new ExpectServerKeyExchange(this.#agreed, this.#shown).handle(message, cx);
    }
    cx.transcript.add(message.bytes);
    const ocspResponse = decode(certificateStatus, message.body);
    return new ExpectServerKeyExchange(this.#agreed, { ...this.#shown, ocspResponse });
  }
}

/** Everything but PSK alone has one; and PSK alone may, with a hint. */
class ExpectServerKeyExchange implements State<ClientConfig> {
  readonly name = "ServerKeyExchange";
  readonly epoch = "initial";
  readonly #agreed: Agreed12;
  readonly #shown: Shown;
  constructor(agreed: Agreed12, shown: Shown) {
    this.#agreed = agreed;
    this.#shown = shown;
  }

  handle(message: Message, cx: Cx): Next {
    const agreed = this.#agreed;
    const { suite } = agreed;
    if (suite.keyExchange === "PSK" && message.type !== handshakeType.serverKeyExchange) {
      return new ExpectServerHelloDone(agreed, withPsk(agreed, undefined, cx)).handle(message, cx);
    }
    expect(message, handshakeType.serverKeyExchange);
    cx.transcript.add(message.bytes);
    const theirs = decode(serverKeyExchange(suite.keyExchange), message.body);
    if (exchangeParts[suite.keyExchange].psk) return new ExpectServerHelloDone(agreed, withPsk(agreed, theirs, cx));
    const shown = this.#shown;
    const ask = {
      role: "client",
      version: "1.2",
      ...shown,
      serverName: agreed.serverName,
      signedCertificateTimestamps: agreed.signedCertificateTimestamps,
      schemes: (cx.config.certificateSchemes ?? cx.config.schemes).map(({ name }) => name),
      at: cx.now,
    } as const;
    return cx.ask("verify-peer", ask, "initial", (verdict) => {
      const { publicKey, peer } = trusted(verdict);
      const { share, signature } = theirs;
      if (share === undefined || signature === undefined) refuse("malformed-message", this.name, "no signed share");
      const signed = concat(agreed.randoms.client, agreed.randoms.server, encode(serverShare(share.kind), share));
      const scheme = checkSignature(cx.config, suite, publicKey, signature.scheme, signed, signature.bytes, this.name);
      const server = { ...theirs, peer, scheme, psk: undefined, ocspResponse: shown.ocspResponse };
      return new ExpectServerHelloDone(agreed, server);
    });
  }
}

/** What the client knows of the server's side when its flight is over. */
interface ServerSide extends Pick<ServerKeyExchange, "share"> {
  readonly peer: (PeerVerdict & { trusted: true })["peer"];
  readonly scheme: Scheme | undefined;
  readonly psk: ExternalPsk | undefined;
  readonly ocspResponse: Uint8Array | undefined;
}

function withPsk(agreed: Agreed12, theirs: ServerKeyExchange | undefined, cx: Cx): ServerSide {
  const { psks } = cx.config.options;
  const psk = typeof psks === "function" ? undefined : psks?.[0];
  if (psk === undefined) refuse("no-identity", "ServerHello", `${agreed.suite.name} needs a pre-shared key`);
  const peer = { kind: "pre-shared-key", identity: psk.identity } as const;
  return { share: theirs?.share, peer, psk, scheme: undefined, ocspResponse: undefined };
}

/** What a server wants to see of us: RFC 5246 §7.4.4. */
interface Wanted {
  readonly schemes: readonly number[];
  readonly authorities: readonly Uint8Array[];
  readonly certificateTypes: readonly number[];
}

class ExpectServerHelloDone implements State<ClientConfig> {
  readonly name: string;
  readonly epoch = "initial";
  readonly #agreed: Agreed12;
  readonly #server: ServerSide;
  readonly #wanted: Wanted | undefined;

  constructor(agreed: Agreed12, server: ServerSide, wanted?: Wanted) {
    this.#agreed = agreed;
    this.#server = server;
    this.#wanted = wanted;
    this.name = wanted === undefined ? "CertificateRequest or ServerHelloDone" : "ServerHelloDone";
  }

  handle(message: Message, cx: Cx): Next {
    const agreed = this.#agreed;
    const mayRequest = this.#wanted === undefined && agreed.suite.authentication !== "PSK"; // RFC 5246 §7.4.4
    if (mayRequest && message.type === handshakeType.certificateRequest) {
      cx.transcript.add(message.bytes);
      const request = decode(certificateRequest12, message.body);
      return new ExpectServerHelloDone(agreed, this.#server, {
        schemes: request.signatureSchemes,
        authorities: request.certificateAuthorities,
        certificateTypes: request.certificateTypes,
      });
    }
    expect(message, handshakeType.serverHelloDone);
    if (message.body.length > 0) refuse("malformed-message", "ServerHelloDone", "it has a body");
    cx.transcript.add(message.bytes);
    return this.#wanted === undefined
      ? exchange(agreed, this.#server, undefined, cx)
      : authenticate(agreed, this.#server, this.#wanted, cx);
  }
}

/** Who are we to this server? Perhaps nobody: then the chain is empty. */
function authenticate(agreed: Agreed12, server: ServerSide, wanted: Wanted, cx: Cx): Next {
  const { config } = cx;
  const schemes = config.schemes.filter(({ id }) => wanted.schemes.includes(id));
  const names = schemes.map(({ name }) => name);
  const ask = {
    role: "client",
    version: "1.2",
    serverName: undefined,
    schemes: names,
    certificateSchemes: names,
    authorities: wanted.authorities,
    alpn: [],
    certificateType: agreed.clientCertificateType,
    keyTypes: keyTypesOf(wanted.certificateTypes),
  } as const;
  return cx.ask("select-identity", ask, "initial", (identity) => {
    const scheme = identity && chooseScheme(schemes, identity.publicKey);
    const shown = scheme && identity;
    cx.send("initial", handshakeType.certificate, writeCertificates(shown, agreed.clientCertificateType));
    return exchange(agreed, server, scheme && { identity, scheme }, cx);
  });
}

interface Signing {
  readonly identity: TlsIdentity;
  readonly scheme: Scheme;
}

/** Sends our half of the exchange; from here on there is a main secret. */
function exchange(agreed: Agreed12, server: ServerSide, signing: Signing | undefined, cx: Cx): Next {
  const { config } = cx;
  const { suite } = agreed;
  const offered = config.groups.filter(({ in12 }) => in12 !== undefined);
  const answer = server.share && answerExchange(config.crypto, config.entropy, server.share, offered);
  const premaster = server.psk ? pskPremaster(server.psk.key, answer?.premaster) : answer!.premaster;
  if (server.psk) answer?.premaster.wipe();
  const ours = { identity: server.psk?.identity ?? none, share: answer?.share ?? none };
  cx.send("initial", handshakeType.clientKeyExchange, encode(clientKeyExchange(suite.keyExchange), ours));
  const sessionHash = agreed.extendedMainSecret ? cx.transcript.digest() : undefined; // RFC 7627 §4
  const session = Session12.agree(config.crypto, suite, agreed.randoms, premaster, sessionHash);
  session.serverIs(endEntity(server.peer));
  session.logKeys(cx);
  cx.exporter = session;
  const full: Ending = {
    agreed,
    session,
    group: answer?.group.name,
    peer: server.peer,
    peerScheme: server.scheme?.name,
    identity: signing?.identity,
    ocspResponse: server.ocspResponse,
    mode: server.psk ? "psk" : "full",
  };
  if (signing === undefined) return finish(full, cx);
  const { identity, scheme } = signing;
  const ask = { identity, scheme: scheme.name, algorithm: scheme.algorithm12, message: cx.transcript.messages() };
  return cx.ask("sign", ask, "initial", (signature) => {
    if (signature === undefined) refuse("signer-refused", "CertificateVerify", "the identity's key gave no signature");
    cx.send("initial", handshakeType.certificateVerify, encode(certificateVerify, { scheme: scheme.id, signature }));
    return finish(full, cx);
  });
}

/** All that the outcome will tell. */
interface Ending {
  readonly agreed: Agreed12;
  readonly session: Session12;
  readonly group: TlsOutcome["group"];
  readonly peer: TlsOutcome["peer"];
  readonly peerScheme: TlsOutcome["peerScheme"];
  readonly identity: TlsIdentity | undefined;
  readonly ocspResponse: Uint8Array | undefined;
  readonly mode: TlsOutcome["mode"];
}
function finish(ending: Ending, cx: Cx): Next {
  cx.transcript.stopKeeping();
  ending.session.install(cx, "write");
  ending.session.sendFinished(cx);
  return awaitServer(ending, cx);
}

function resume(agreed: Agreed12, old: ClientSession, cx: Cx): Next {
  const { crypto } = cx.config;
  cx.transcript.stopKeeping();
  const main = Secret.copy(old.secret);
  const session = new Session12(crypto, agreed.suite, agreed.randoms, main, agreed.extendedMainSecret);
  const peer = recall(old.peer, (spki) => crypto.publicKey(spki));
  session.serverIs(endEntity(peer));
  session.logKeys(cx);
  cx.exporter = session;
  const ending: Ending = {
    agreed,
    session,
    group: undefined,
    peer,
    peerScheme: undefined,
    identity: undefined,
    ocspResponse: undefined,
    mode: "resumed",
  };
  return awaitServer(ending, cx);
}

function awaitServer(ending: Ending, cx: Cx): Next {
  if (ending.agreed.ticketExpected) return new ExpectNewSessionTicket(ending);
  ending.session.install(cx, "read");
  return new ExpectFinished(ending, undefined);
}

/** Comes before the server's ChangeCipherSpec: RFC 5077 §3.3. */
class ExpectNewSessionTicket implements State<ClientConfig> {
  readonly name = "NewSessionTicket";
  readonly epoch = "initial";
  readonly #ending: Ending;
  constructor(ending: Ending) {
    this.#ending = ending;
  }

  handle(message: Message, cx: Cx): Next {
    expect(message, handshakeType.newSessionTicket);
    cx.transcript.add(message.bytes);
    const ticket = decode(newSessionTicket12, message.body);
    this.#ending.session.install(cx, "read");
    return new ExpectFinished(this.#ending, ticket);
  }
}

class ExpectFinished implements State<ClientConfig> {
  readonly name = "Finished";
  readonly epoch = "application";
  readonly #ending: Ending;
  readonly #ticket: { readonly lifetimeHintS: number; readonly ticket: Uint8Array } | undefined;
  constructor(ending: Ending, ticket: { readonly lifetimeHintS: number; readonly ticket: Uint8Array } | undefined) {
    this.#ending = ending;
    this.#ticket = ticket;
  }

  handle(message: Message, cx: Cx): Next {
    const { agreed, session, mode } = this.#ending;
    session.checkFinished(message, cx);
    if (agreed.echRejected) throw echRequired(undefined);
    if (mode === "resumed") {
      session.install(cx, "write");
      session.sendFinished(cx);
    }
    this.#remember(cx);
    const { group, peer, peerScheme, identity, ocspResponse } = this.#ending;
    cx.confirmed({
      version: "1.2",
      suite: agreed.suite.name,
      group,
      peer,
      peerScheme,
      identity,
      alpn: agreed.alpn,
      serverName: agreed.serverName,
      mode,
      roundTrips: mode === "resumed" ? 1 : 2,
      retried: false,
      earlyData: "not-offered",
      extensions: agreed.extensions,
      ocspResponse,
      signedCertificateTimestamps: agreed.signedCertificateTimestamps,
      encryptedClientHello: "not-offered",
      at: cx.now,
    });
    return new Connected12();
  }

  /** A new ticket, or the session's ID; or if neither is new, what has just proved good. */
  #remember(cx: Cx): void {
    const { agreed, session, peer } = this.#ending;
    if (cx.config.options.sessions === undefined || !agreed.extendedMainSecret) return;
    const given = this.#ticket?.ticket.length ? this.#ticket : undefined;
    if (given === undefined && agreed.resumed !== undefined) {
      if (agreed.resumed.ticket.length > 0) cx.askAside("store-session", { session: agreed.resumed });
      return;
    }
    if (given === undefined && agreed.sessionId.length === 0) return;
    const stored: ClientSession = {
      version: 0x0303,
      suite: agreed.suite.id,
      secret: session.secret(),
      issuedAt: cx.now,
      lifetimeS: Math.min(given?.lifetimeHintS || lifetimeS, ticketLifetimeMaxS),
      ageAdd: 0,
      extendedMasterSecret: true,
      earlyDataMax: 0,
      serverName: agreed.serverName ?? "",
      alpn: none,
      peer: remember(peer),
      applicationData: none,
      ticket: given?.ticket ?? none,
      sessionId: given === undefined ? agreed.sessionId : none,
    };
    cx.askAside("store-session", { session: stored });
    cx.out.push({ kind: "ticket" });
  }
}

function trusted(verdict: PeerVerdict | undefined): PeerVerdict & { readonly trusted: true } {
  if (verdict === undefined) refuse("certificate-unknown", "Certificate", "the verifier gave no verdict");
  if (!verdict.trusted) throw verdict.failure;
  return verdict;
}

const endEntity = (peer: PeerIdentity | undefined): Uint8Array | undefined =>
  peer?.kind === "certificate" ? peer.chain[0] : undefined;

const none = new Uint8Array(0);
/** Seconds for a session whose server gives no hint. */
const lifetimeS = 7200;
