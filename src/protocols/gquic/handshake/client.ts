import { concat, utf8 } from "../../../bytes/index.js";
import type { CryptoProvider, Entropy, Instant, Secret, Zlib } from "../../../contract/index.js";
import { isPkiFailure, parseCertificate } from "../../../pki/index.js";
import { gquicFailure, refuse } from "../failure.js";
import { helloMin, limits } from "../limits.js";
import { decompressChain } from "../messages/certificates.js";
import { decodeMessage, encodeMessage, le, type Message, required, u32Le } from "../messages/message.js";
import { proofAlgorithm, proofInput } from "../messages/proof.js";
import { Tag, tagText } from "../messages/tags.js";
import type { ProofVerdict } from "../options.js";
import { fnv64 } from "../protection/fnv.js";
import { deriveKeys } from "../protection/keys.js";
import type { Settings } from "../settings.js";
import { Level } from "../wire/header.js";
import { putU32 } from "../wire/numbers.js";
import type { Version } from "../wire/versions.js";
import { type ReadConfig, readConfig } from "./configs.js";
import type { HandshakeOutput } from "./handshake.js";
import type { KnownServer } from "./known-servers.js";
import { putParameters, readParameters } from "./parameters.js";

export interface ClientGround {
  readonly crypto: CryptoProvider;
  readonly entropy: Entropy;
  readonly zlib: Zlib;
  readonly settings: Settings;
  readonly serverName: string | undefined;
  readonly cid: Uint8Array;
}

/** Reserved versions that only keep others honest look like this ("greasing"). */
const isReserved = (code: number): boolean => (code & 0x0f0f_0f0f) >>> 0 === 0x0a0a_0a0a;

/**
 * A client's handshake (QUIC Crypto, "Client handshake"):
 *
 * ```
 *  inchoate hello ─▶ REJ ─▶ trusted? ─▶ full hello, initial keys ─▶ SHLO, forward-secure keys
 *        ▲            │ no config yet          ▲        │ REJ
 *        └────────────┘                        └────────┘
 * ```
 */
export class ClientHandshake {
  readonly #ground: ClientGround;
  readonly #outputs: HandshakeOutput[] = [];
  #version: Version;
  /** The version with which we began, for VER. */
  readonly #first: Version;
  /** The list of a Version Negotiation, which SHLO must repeat. */
  #negotiated: readonly number[] | undefined;
  #config: ReadConfig | undefined;
  #chain: readonly Uint8Array[] = [];
  #known: KnownServer | undefined;
  #token: Uint8Array | undefined;
  #serverNonce: Uint8Array | undefined;
  #hello: Uint8Array = new Uint8Array(0);
  #nonce: Uint8Array = new Uint8Array(0);
  #key: Secret | undefined;
  #hellos = 0;
  #isFull = false;
  #resumed = false;
  /** A config that waits until its chain is trusted. */
  #judged: { readonly config: ReadConfig; readonly chain: readonly Uint8Array[] } | undefined;
  #peer: KnownServer["peer"] | undefined;
  isComplete = false;

  constructor(ground: ClientGround, version: Version, known: KnownServer | undefined) {
    this.#ground = ground;
    this.#version = this.#first = version;
    this.#known = known;
  }

  /** Says hello, with keys at once if the server is known. */
  start(now: Instant): void {
    const known = this.#known;
    if (known !== undefined) {
      const config = readConfig(known.config);
      this.#chain = known.chain;
      this.#token = known.token;
      if (config.expiresAt > now) {
        this.#config = config;
        this.#peer = known.peer;
        this.#resumed = true;
      }
    }
    this.#sayHello(now);
  }

  /** A Version Negotiation: everything begins anew in another version. */
  restart(version: Version, negotiated: readonly number[], now: Instant): void {
    this.#version = version;
    this.#negotiated = negotiated;
    this.#hellos = 0;
    this.#sayHello(now);
  }

  output(): HandshakeOutput | undefined {
    return this.#outputs.shift();
  }

  /** A whole message, which came at that level. */
  message(raw: Uint8Array, level: Level, now: Instant): void {
    const message = decodeMessage(raw);
    if (this.isComplete) {
      if (message.tag !== Tag.SCUP || level !== Level.forwardSecure) {
        refuse("unexpected-message", tagText(message.tag), "the handshake is over");
      }
      this.#updated(message);
      return;
    }
    // While a chain is judged nothing else can come: we have said nothing since.
    if (this.#judged !== undefined) refuse("unexpected-message", tagText(message.tag), "nothing was asked");
    if (message.tag === Tag.REJ) this.#rejected(message, now);
    else if (message.tag === Tag.SHLO) this.#accepted(message, level, now);
    else refuse("unexpected-message", tagText(message.tag), "a server says REJ or SHLO");
  }

  /** The answer to `verify-proof`. */
  judged(verdict: ProofVerdict | undefined, now: Instant): void {
    const judged = this.#judged;
    if (judged === undefined) return;
    this.#judged = undefined;
    if (verdict?.trusted !== true) {
      const cause = verdict?.cause;
      throw gquicFailure("proof-invalid", "CERT", verdict?.message ?? "the server is not trusted", {
        ...(cause !== undefined && { cause }),
      });
    }
    this.#config = judged.config;
    this.#chain = judged.chain;
    this.#peer = verdict.peer;
    this.#sayHello(now);
  }

  /** What is to be kept for the next connection. */
  remembered(): KnownServer | undefined {
    const config = this.#config;
    if (config === undefined || this.#peer === undefined) return undefined;
    const { expiresAt, raw } = config;
    return { config: raw.slice(), chain: this.#chain, peer: this.#peer, token: this.#token?.slice(), expiresAt };
  }

  destroy(): void {
    this.#key?.wipe();
    this.#key = undefined;
  }

  #sayHello(now: Instant): void {
    if (this.#hellos === limits.hellosMax) {
      refuse("too-many-rejects", "REJ", `the server refused ${limits.hellosMax} hellos`);
    }
    this.#hellos++;
    const { crypto, entropy, settings, serverName } = this.#ground;
    const config = this.#config;
    const values = new Map<number, Uint8Array>([
      [Tag.VER, putTag(this.#first.code)],
      [Tag.PDMD, le(Tag.X509, 4)],
      // Packets to a client need no id: its port is its name.
      [Tag.TCID, le(0, 4)],
    ]);
    if (serverName !== undefined) values.set(Tag.SNI, utf8(serverName));
    if (this.#token !== undefined) values.set(Tag.STK, this.#token);
    if (this.#serverNonce !== undefined) values.set(Tag.SNO, this.#serverNonce);
    if (this.#chain.length > 0) values.set(Tag.CCRT, concat(...this.#chain.map(fnv64)));
    putParameters(values, settings);
    this.#isFull = config !== undefined;
    if (config === undefined) {
      this.#hello = encodeMessage(Tag.CHLO, values, helloMin);
      this.#outputs.push({ kind: "message", level: Level.clear, bytes: this.#hello });
      return;
    }
    this.#key?.wipe();
    const { share, privateKey } = crypto.agreement("X25519").initiate(entropy);
    this.#key = privateKey;
    this.#nonce = entropy.fill(new Uint8Array(32));
    putU32(this.#nonce, 0, Math.floor(now / 1000) >>> 0);
    this.#nonce.set(config.orbit, 4);
    values.set(Tag.SCID, config.scid);
    values.set(Tag.AEAD, le(Tag.AESG, 4));
    values.set(Tag.KEXS, le(Tag.C255, 4));
    values.set(Tag.NONC, this.#nonce);
    values.set(Tag.PUBS, share);
    if (this.#chain.length > 0) values.set(Tag.XLCT, fnv64(this.#chain[0]!));
    this.#hello = encodeMessage(Tag.CHLO, values, helloMin);
    this.#outputs.push({ kind: "message", level: Level.clear, bytes: this.#hello });
    this.#derive("initial", config.share, this.#serverNonce);
  }

  #derive(level: "initial" | "forward-secure", theirs: Uint8Array, serverNonce: Uint8Array | undefined): void {
    const { crypto, cid } = this.#ground;
    const shared = crypto.agreement("X25519").conclude(this.#key!, theirs);
    if (shared === undefined) refuse("invalid-share", "PUBS", "the server's public value is none");
    const keys = deriveKeys(crypto, {
      version: this.#version,
      level,
      nonces: serverNonce === undefined ? this.#nonce : concat(this.#nonce, serverNonce),
      cid,
      hello: this.#hello,
      config: this.#config!.raw,
      leaf: this.#chain[0]!,
      shared,
    });
    shared.wipe();
    this.#outputs.push({ kind: "keys", level, keys });
  }

  #rejected(message: Message, now: Instant): void {
    const { crypto, zlib, serverName } = this.#ground;
    const { values } = message;
    if (this.#isFull) {
      const said = values.get(Tag.RREJ) ?? new Uint8Array(0);
      const reasons = Array.from({ length: Math.floor(said.length / 4) }, (_, i) => u32Le(said, 4 * i));
      this.#outputs.push({ kind: "rejected", reasons });
    }
    this.#token = values.get(Tag.STK)?.slice() ?? this.#token;
    this.#serverNonce = values.get(Tag.SNO)?.slice();
    const raw = values.get(Tag.SCFG)?.slice();
    const proof = values.get(Tag.PROF);
    const packed = values.get(Tag.CERT);
    if (raw === undefined || proof === undefined || (packed === undefined && this.#chain.length === 0)) {
      // Without proof a config is worth nothing; what we trusted before stays good, unless the server knows it no more.
      if (raw !== undefined) this.#config = undefined;
      this.#sayHello(now);
      return;
    }
    const chain = packed === undefined ? this.#chain : decompressChain(packed, this.#chain, zlib);
    const leaf = chain[0] === undefined ? undefined : parseCertificate(chain[0]);
    if (leaf === undefined || isPkiFailure(leaf)) {
      throw gquicFailure("proof-invalid", "CERT", "the server's certificate cannot be read", leaf && { cause: leaf });
    }
    const key = crypto.publicKey(leaf.spki);
    const algorithm = key && proofAlgorithm(key);
    if (algorithm === undefined || !key!.verify(algorithm, proofInput(crypto, this.#hello, raw), proof)) {
      refuse("proof-invalid", "PROF", "the config is not signed by the certificate's key");
    }
    const config = readConfig(raw);
    if (config.expiresAt <= now) refuse("config-expired", "SCFG", "the server's config has expired");
    this.#judged = { config, chain };
    this.#outputs.push({ kind: "question", question: { kind: "verify-proof", chain, serverName, at: now } });
  }

  #accepted(message: Message, level: Level, _now: Instant): void {
    if (!this.#isFull) refuse("unexpected-message", "SHLO", "there are no keys for it");
    if (level !== Level.initial) refuse("wrong-level", "SHLO", "it is not under initial keys");
    this.#checkVersions(message.values.get(Tag.VER));
    const share = required(message, Tag.PUBS, 32);
    const parameters = readParameters(message);
    this.#token = message.values.get(Tag.STK)?.slice() ?? this.#token;
    this.#derive("forward-secure", share, message.values.get(Tag.SNO));
    const token = message.values.get(Tag.SRST);
    if (token?.length === 16) this.#outputs.push({ kind: "reset-token", token: token.slice() });
    this.isComplete = true;
    this.destroy();
    this.#outputs.push({ kind: "parameters", parameters });
    this.#outputs.push({
      kind: "complete",
      outcome: {
        peer: this.#peer,
        serverName: this.#ground.serverName,
        hellos: this.#hellos,
        resumed: this.#resumed && this.#hellos === 1,
      },
    });
  }

  /** If somebody else said which versions the server has, the server itself says others ("Version negotiation"). */
  #checkVersions(said: Uint8Array | undefined): void {
    const negotiated = this.#negotiated;
    if (negotiated === undefined) return;
    if (said === undefined || said.length % 4 !== 0) refuse("downgrade", "VER", "the server does not say its versions");
    const codes: number[] = [];
    for (let at = 0; at < said.length; at += 4)
      codes.push(((said[at]! << 24) | (said[at + 1]! << 16) | (said[at + 2]! << 8) | said[at + 3]!) >>> 0);
    const real = (list: readonly number[]): string => list.filter((code) => !isReserved(code)).join(" ");
    if (real(codes) !== real(negotiated)) {
      refuse("downgrade", "VER", "the versions of the server are not those that were negotiated");
    }
  }

  /** SCUP: a new token; a config in it needs a proof of its own, and the next connection asks for that. */
  #updated({ values }: Message): void {
    this.#token = values.get(Tag.STK)?.slice() ?? this.#token;
    if (values.has(Tag.SCFG)) this.#config = undefined;
  }
}

const putTag = (code: number): Uint8Array => {
  const bytes = new Uint8Array(4);
  putU32(bytes, 0, code);
  return bytes;
};
