import { concat, DecodeError, decode, encode, equal, Reader, toHex, utf8 } from "../../bytes/index.js";
import {
  type CryptoProvider,
  type Entropy,
  equalInConstantTime,
  type Failure,
  type Hash,
  type Instant,
  type PeerIdentity,
} from "../../contract/index.js";
import { refuse, tlsFailure } from "./failure.js";
import { limits } from "./limits.js";
import {
  type Certificate,
  type CertificateRequest,
  certificate,
  certificateRequest,
  certificateVerify,
} from "./messages/authentication.js";
import { type Extension, ExtensionBlock, ext, extension } from "./messages/extensions.js";
import { frame, handshakeType, type Message } from "./messages/handshake.js";
import type { TlsIdentity, VerifyPeer } from "./options.js";
import { fits, type Scheme, schemeById, schemes } from "./parameters/schemes.js";
import { suiteByName } from "./parameters/suites.js";
import type { TlsSession } from "./session.js";

export interface AuthenticatorOptions {
  readonly crypto: CryptoProvider;
  readonly entropy: Entropy;
  /** Judges what the peer shows, as in a handshake. Without it nothing is accepted. */
  readonly verify?: VerifyPeer;
}

/** What an authenticator stands on: a confirmed session, of which only its secrets' exporter matters. */
export type AuthenticatedSession = Pick<TlsSession, "role" | "outcome" | "exportKey" | "channelBinding">;

/**
 * Exported authenticators (RFC 9261): more identities for a session that lives, as messages which the application carries
 * itself. One object for a session: it remembers what was asked, so that nothing counts twice.
 */
export class Authenticators {
  readonly #session: AuthenticatedSession;
  readonly #options: AuthenticatorOptions;
  readonly #hash: Hash;
  /** Contexts that were asked for, answered or accepted: each is good once. */
  readonly #used = new Set<string>();

  /** Throws `misuse` before the session is confirmed, and in 1.2 without the extended main secret (RFC 9261 §5.1). */
  constructor(session: AuthenticatedSession, options: AuthenticatorOptions) {
    const { outcome } = session;
    if (outcome === undefined) throw misuse("the session is not confirmed yet");
    if (outcome.version === "1.2" && session.channelBinding("tls-unique") === undefined) {
      throw misuse("the session has no extended main secret");
    }
    this.#session = session;
    this.#options = options;
    this.#hash = options.crypto.hash(suiteByName(outcome.suite)!.hash);
  }

  /** Asks the peer for an identity; a client may say for which name. */
  request(wanted: { readonly serverName?: string } = {}): Uint8Array {
    const { role } = this.#session;
    const context = this.#options.entropy.fill(new Uint8Array(16));
    this.#use(context);
    const items: Extension[] = [
      extension(
        "CR",
        ext.signatureAlgorithms,
        schemes13.map(({ id }) => id),
      ),
    ];
    if (wanted.serverName !== undefined) {
      if (role === "server") throw misuse("clients have no server_name");
      const name = encode(ext.serverName.in.CH, [{ type: 0, name: utf8(wanted.serverName) }]);
      items.push({ type: ext.serverName.type, data: name });
    }
    const body = encode(certificateRequest, { context, extensions: new ExtensionBlock("CR", items) });
    return frame(requestType[role], body);
  }

  /** The name that a client's request is for, if it says one, and the context by which the answer will be known. */
  read(request: Uint8Array): { readonly context: Uint8Array; readonly serverName: string | undefined } {
    return guarded(() => {
      const { context, extensions } = this.#readRequest(request, otherRole[this.#session.role]);
      const raw = extensions.raw(ext.serverName.type);
      const name = raw && decode(ext.serverName.in.CH, raw)[0]?.name;
      return { context: context.slice(), serverName: name && new TextDecoder().decode(name) };
    });
  }

  /**
   * Proves an identity in answer to a request; without one, which only a server may, of its own accord. Without an identity
   * it is an authenticated refusal. Rejects if no scheme suits both the request and the key.
   */
  async authenticate(identity: TlsIdentity | undefined, request?: Uint8Array): Promise<Uint8Array> {
    const { role } = this.#session;
    if (request === undefined && role === "client") throw misuse("clients authenticate when they are asked alone");
    const asked = request && guarded(() => this.#readRequest(request, otherRole[role]));
    const context = asked?.context ?? this.#options.entropy.fill(new Uint8Array(16));
    this.#use(context);
    const before = concat(this.#export(role, "handshake context"), request ?? none);
    const shown = encode(certificate, {
      context,
      entries: (identity?.certificates ?? []).map((data) => ({ data, extensions: new ExtensionBlock("CT", []) })),
    });
    const certificateMessage = frame(handshakeType.certificate, shown);
    if (identity === undefined) return this.#finished(role, before, certificateMessage);
    const wanted = guarded(() => asked?.extensions.get(ext.signatureAlgorithms));
    const scheme = schemes13.find(
      (each) => (wanted?.includes(each.id) ?? true) && fits(each, identity.publicKey, "1.3"),
    );
    if (scheme === undefined) {
      throw tlsFailure("no-common-scheme", "CertificateRequest", "no scheme suits both the request and the key");
    }
    const content = signedContent(this.#hash.digest(before, certificateMessage));
    const signature = await identity.sign(scheme.algorithm, content);
    if (signature === undefined) throw tlsFailure("signer-refused", "CertificateVerify", "the key gave no signature");
    const verify = frame(handshakeType.certificateVerify, encode(certificateVerify, { scheme: scheme.id, signature }));
    return concat(certificateMessage, verify, this.#finished(role, before, certificateMessage, verify));
  }

  /**
   * Who the peer proved to be, or undefined if it declined. Rejects with what is wrong otherwise. An answer to a request of
   * ours needs that request; each is accepted once.
   */
  async validate(authenticator: Uint8Array, now: Instant, request?: Uint8Array): Promise<PeerIdentity | undefined> {
    const peerRole = otherRole[this.#session.role];
    const asked = request && guarded(() => this.#readRequest(request, this.#session.role));
    if (asked === undefined && peerRole === "client") throw misuse("a client's authenticator answers a request");
    const before = concat(this.#export(peerRole, "handshake context"), request ?? none);
    const { shown, verify, finished } = guarded(() => split(authenticator));
    const empty = encode(certificate, { context: asked?.context ?? none, entries: [] });
    const certificateMessage = shown?.bytes ?? frame(handshakeType.certificate, empty);
    const wanted = this.#finished(peerRole, before, certificateMessage, verify?.bytes);
    if (!equalInConstantTime(wanted, finished.bytes)) bad("bad-finished", "it is not of this session and this request");
    if (shown === undefined || verify === undefined) {
      if (asked === undefined) bad("unexpected-message", "a refusal of what nobody asked for");
      return undefined;
    }
    const { context, entries } = guarded(() => decode(certificate, shown.body));
    if (asked !== undefined && !equal(context, asked.context))
      bad("wrong-request-context", "it answers another request");
    this.#accept(context, asked !== undefined);
    const peer = await this.#judge(entries, now);
    guarded(() => checkSignature(asked, peer.publicKey, verify, this.#hash.digest(before, certificateMessage)));
    return peer.identity;
  }

  async #judge(entries: Certificate["entries"], at: Instant) {
    if (entries.length === 0) bad("missing-certificate", "no certificate in it");
    for (const { extensions } of entries)
      if (extensions.items.length > 0) bad("unsolicited-extension", "not asked for");
    const verdict = await this.#options.verify?.({
      role: this.#session.role,
      version: "1.3",
      certificates: entries.map(({ data }) => data),
      rawPublicKey: undefined,
      serverName: undefined,
      ocspResponse: undefined,
      signedCertificateTimestamps: undefined,
      schemes: schemes13.map(({ name }) => name),
      at,
    });
    if (verdict === undefined) bad("certificate-unknown", "there is nothing to judge the peer by");
    if (!verdict.trusted) throw verdict.failure;
    return { identity: verdict.peer, publicKey: verdict.publicKey };
  }

  #readRequest(request: Uint8Array, from: "client" | "server"): CertificateRequest {
    const [message, ...more] = messagesOf(request);
    if (message?.type !== requestType[from] || more.length > 0) bad("unexpected-message", "this is no request");
    const read = decode(certificateRequest, message.body);
    if (!read.extensions.has(ext.signatureAlgorithms)) bad("missing-extension", "signature_algorithms is missing");
    return read;
  }

  #finished(role: "client" | "server", ...transcript: readonly (Uint8Array | undefined)[]): Uint8Array {
    const mac = this.#hash.hmac(this.#export(role, "finished key"));
    const parts = transcript.filter((part) => part !== undefined);
    const verifyData = mac.compute(this.#hash.digest(...parts));
    mac.destroy();
    return frame(handshakeType.finished, verifyData);
  }

  /** RFC 9261 §5.1. */
  #export(role: "client" | "server", what: "handshake context" | "finished key"): Uint8Array {
    return this.#session.exportKey(`EXPORTER-${role} authenticator ${what}`, this.#hash.size, none);
  }

  /** A context of ours, or one that we answer. */
  #use(context: Uint8Array): void {
    const key = toHex(context);
    if (this.#used.has(key)) throw misuse("this request has been answered");
    this.#remember(key);
  }

  #accept(context: Uint8Array, asked: boolean): void {
    const key = toHex(context);
    if (this.#used.has(`accepted ${key}`) || (!asked && this.#used.has(key))) {
      bad("wrong-request-context", "an authenticator with this context has been accepted before");
    }
    this.#remember(`accepted ${key}`);
  }

  #remember(key: string): void {
    if (this.#used.size >= limits.authenticatorsMax) throw misuse("more authenticators than one session may have");
    this.#used.add(key);
  }
}

const schemes13: readonly Scheme[] = schemes.filter(({ in13 }) => in13);
const requestType = {
  client: handshakeType.clientCertificateRequest,
  server: handshakeType.certificateRequest,
} as const;
const otherRole = { client: "server", server: "client" } as const;
const none = new Uint8Array(0);

/** RFC 9261 §5.2.2. */
const signedContent = (transcriptHash: Uint8Array): Uint8Array =>
  concat(new Uint8Array(64).fill(0x20), utf8("Exported Authenticator"), Uint8Array.of(0), transcriptHash);

function checkSignature(
  asked: CertificateRequest | undefined,
  publicKey: Parameters<typeof fits>[1],
  verify: Message,
  transcriptHash: Uint8Array,
): void {
  const { scheme: id, signature } = decode(certificateVerify, verify.body);
  const scheme = schemeById.get(id);
  const wanted = asked?.extensions.get(ext.signatureAlgorithms);
  if (scheme === undefined || !(wanted?.includes(id) ?? true) || !fits(scheme, publicKey, "1.3")) {
    bad("unoffered-scheme", "a signature scheme that was not asked for");
  }
  if (!publicKey.verify(scheme.algorithm, signedContent(transcriptHash), signature)) {
    bad("bad-signature", "the peer does not hold the key that it shows");
  }
}

/** Certificate, CertificateVerify and Finished; or Finished alone, which declines (RFC 9261 §6). */
function split(authenticator: Uint8Array): { shown?: Message; verify?: Message; finished: Message } {
  const all = messagesOf(authenticator);
  const types = all.map(({ type }) => type).join();
  if (types === `${handshakeType.finished}`) return { finished: all[0]! };
  const whole = [handshakeType.certificate, handshakeType.certificateVerify, handshakeType.finished].join();
  if (types !== whole) bad("unexpected-message", "this is no authenticator");
  return { shown: all[0]!, verify: all[1]!, finished: all[2]! };
}

function messagesOf(bytes: Uint8Array): Message[] {
  if (bytes.length > limits.certificateMessageMax) bad("message-too-large", `${bytes.length} bytes`);
  const reader = new Reader(bytes);
  const found: Message[] = [];
  while (reader.left > 0) {
    const start = reader.at;
    const type = reader.u8();
    const body = reader.take(reader.u24());
    found.push({ type, body, bytes: bytes.subarray(start, reader.at) });
  }
  return found;
}

/** What does not parse is a failure like any other. */
function guarded<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof DecodeError) throw tlsFailure("malformed-message", "authenticator", error.message);
    throw error;
  }
}

function bad(reason: Parameters<typeof refuse>[0], message: string): never {
  refuse(reason, "authenticator", message);
}

const misuse = (message: string): Failure => tlsFailure("misuse", "authenticator", message);
