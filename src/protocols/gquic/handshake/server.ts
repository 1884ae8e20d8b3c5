import { concat, equal, fromUtf8 } from "../../../bytes/index.js";
import type { CryptoProvider, Entropy, Identity, Instant, Secret, Zlib } from "../../../contract/index.js";
import { gquicFailure, refuse } from "../failure.js";
import { configLifetimeMs, helloMin, limits, strikeWindowMs } from "../limits.js";
import { compressChain } from "../messages/certificates.js";
import { decodeMessage, encodeMessage, fromLe, le, type Message, required, tagList } from "../messages/message.js";
import { proofAlgorithm, proofInput } from "../messages/proof.js";
import { Tag, tagText } from "../messages/tags.js";
import { fnv64 } from "../protection/fnv.js";
import { deriveKeys } from "../protection/keys.js";
import type { Settings } from "../settings.js";
import { Level } from "../wire/header.js";
import { putU32, u32At } from "../wire/numbers.js";
import { type Version, versionByCode } from "../wire/versions.js";
import type { Boxes } from "./boxes.js";
import type { OwnConfig, ServerConfigs } from "./configs.js";
import { type HandshakeOutput, RejectReason } from "./handshake.js";
import { putParameters, readParameters } from "./parameters.js";
import type { Strikes } from "./strikes.js";

/** What the handshakes of one endpoint share. */
export interface ServerGround {
  readonly crypto: CryptoProvider;
  readonly entropy: Entropy;
  readonly zlib: Zlib;
  readonly settings: Settings;
  readonly identity: Identity | ((serverName: string | undefined) => Identity | undefined);
  readonly configs: ServerConfigs;
  readonly boxes: Boxes;
  readonly strikes: Strikes;
  readonly withholdProof: "large" | "always";
}

/** So many times a hello's size may a proof have that goes to who has not proved his address (as Chromium has it). */
const proofFactor = 2;

/**
 * A server's handshake: every hello is judged on its own, and answered with REJ or, if all in it is right, with SHLO
 * (QUIC Crypto, "Server handshake").
 */
export class ServerHandshake {
  readonly #ground: ServerGround;
  readonly #version: Version;
  readonly #cid: Uint8Array;
  readonly #outputs: HandshakeOutput[] = [];
  #hellos = 0;
  /** A REJ that waits for its signature. */
  #rejection: { readonly values: Map<number, Uint8Array> } | undefined;
  /** Hellos that came meanwhile. */
  readonly #waiting: Uint8Array[] = [];
  /** The address has brought back a token. */
  isAddressProved = false;
  isComplete = false;
  /** Where the last hello came from, for its tokens. */
  #address = "";

  constructor(ground: ServerGround, version: Version, cid: Uint8Array) {
    this.#ground = ground;
    this.#version = version;
    this.#cid = cid;
  }

  output(): HandshakeOutput | undefined {
    return this.#outputs.shift();
  }

  /** @param address - where the hello came from @param isBusy - proofs are shown to proved addresses alone */
  message(raw: Uint8Array, level: Level, address: string, isBusy: boolean, now: Instant): void {
    this.#address = address;
    if (this.isComplete) refuse("unexpected-message", "CHLO", "the handshake is over");
    if (level !== Level.clear) refuse("wrong-level", "CHLO", "a hello is in the clear");
    if (this.#rejection !== undefined) {
      if (this.#waiting.length < limits.hellosMax) this.#waiting.push(raw);
      return;
    }
    const message = decodeMessage(raw);
    if (message.tag !== Tag.CHLO) refuse("unexpected-message", tagText(message.tag), "a client says CHLO");
    if (raw.length < helloMin) refuse("malformed-message", "CHLO", `a hello of ${raw.length} bytes`);
    if (++this.#hellos > limits.hellosMax) refuse("too-many-rejects", "CHLO", "too many hellos");
    this.#checkVersion(message);
    const serverName = fromUtf8(message.values.get(Tag.SNI) ?? new Uint8Array(0)) || undefined;
    const { identity } = this.#ground;
    const chosen = typeof identity === "function" ? identity(serverName) : identity;
    if (chosen?.certificates[0] === undefined) {
      throw gquicFailure("no-common-crypto", "SNI", "there is no identity for that name");
    }
    const { reasons, config, serverNonce } = this.#judge(message, chosen, address, now);
    if (reasons.length > 0) this.#reject(message, chosen, serverName, reasons, isBusy, now);
    else this.#accept(message, chosen, serverName, config!, serverNonce, address, now);
  }

  /** The answer to `sign-proof`. */
  signed(signature: Uint8Array | undefined): readonly Uint8Array[] {
    const rejection = this.#rejection;
    if (rejection === undefined) return [];
    this.#rejection = undefined;
    if (signature === undefined) refuse("internal-error", "PROF", "the config could not be signed");
    rejection.values.set(Tag.PROF, signature);
    this.#send(rejection.values);
    return this.#waiting.splice(0);
  }

  /** A client that first tried a version which we have was told otherwise by somebody else. */
  #checkVersion({ values }: Message): void {
    const first = values.get(Tag.VER);
    if (first?.length !== 4) return;
    const code = u32At(first, 0);
    const tried = versionByCode(code);
    if (tried !== undefined && tried !== this.#version && this.#ground.settings.versions.includes(tried)) {
      refuse("downgrade", "VER", `the client tried ${tried.name}, which we have`);
    }
  }

  #judge(
    message: Message,
    identity: Identity,
    address: string,
    now: Instant,
  ): { reasons: number[]; config: OwnConfig | undefined; serverNonce: Uint8Array | undefined } {
    const { configs, boxes, strikes } = this.#ground;
    const { values } = message;
    const reasons: number[] = [];
    const token = values.get(Tag.STK);
    if (token === undefined || token.length === 0) reasons.push(RejectReason.tokenMissing);
    else if (boxes.isTokenFor(token, address, now)) this.isAddressProved = true;
    else reasons.push(RejectReason.tokenInvalid);
    const scid = values.get(Tag.SCID);
    const serverNonce = values.get(Tag.SNO);
    const given = serverNonce?.length ? serverNonce : undefined;
    if (scid === undefined || !values.has(Tag.PUBS) || !values.has(Tag.NONC)) {
      reasons.push(RejectReason.inchoate);
      return { reasons, config: undefined, serverNonce: given };
    }
    const config = configs.find(scid, now);
    if (config === undefined) reasons.push(RejectReason.unknownConfig);
    const leaf = values.get(Tag.XLCT);
    if (leaf !== undefined && !equal(leaf, fnv64(identity.certificates[0]!))) reasons.push(RejectReason.wrongLeaf);
    // A nonce is used up only by a hello that is taken.
    if (reasons.length === 0) {
      const nonce = required(message, Tag.NONC, 32);
      if (!equal(nonce.subarray(4, 12), configs.orbit)) reasons.push(RejectReason.nonceOrbit);
      else {
        const isFresh = given !== undefined && boxes.isServerNonce(given, now);
        if (given !== undefined && !isFresh) reasons.push(RejectReason.serverNonceInvalid);
        else {
          const taken = strikes.take(isFresh ? given! : nonce, isFresh ? undefined : timeOf(nonce, now), now);
          if (taken === "used") reasons.push(isFresh ? RejectReason.serverNonceUsed : RejectReason.nonceUsed);
          if (taken === "out-of-time") reasons.push(RejectReason.nonceTime);
        }
      }
    }
    return { reasons, config, serverNonce: given };
  }

  #reject(
    message: Message,
    identity: Identity,
    serverName: string | undefined,
    reasons: readonly number[],
    isBusy: boolean,
    now: Instant,
  ): void {
    const { crypto, zlib, boxes, configs, withholdProof } = this.#ground;
    const values = new Map<number, Uint8Array>([
      [Tag.STK, boxes.token(this.#address, now)],
      [Tag.SNO, boxes.serverNonce(now)],
      [Tag.RREJ, concat(...reasons.map((reason) => le(reason, 4)))],
    ]);
    const config = configs.current(now);
    const chain = compressChain(identity.certificates, message.values.get(Tag.CCRT) ?? new Uint8Array(0), zlib);
    const isLarge = chain.length + config.raw.length + proofMax > proofFactor * message.raw.length;
    if (!this.isAddressProved && (isBusy || withholdProof === "always" || isLarge)) {
      this.#send(values);
      return;
    }
    values.set(Tag.SCFG, config.raw);
    values.set(Tag.STTL, le(Math.min(configLifetimeMs, config.expiresAt - now) / 1000, 8));
    values.set(Tag.CERT, chain);
    const algorithm = proofAlgorithm(identity.publicKey);
    if (algorithm === undefined) refuse("no-common-crypto", "PROF", "the identity's key cannot sign a config");
    this.#rejection = { values };
    const input = proofInput(crypto, message.raw, config.raw);
    this.#outputs.push({
      kind: "question",
      question: { kind: "sign-proof", serverName, algorithm, message: input },
    });
  }

  #send(values: Map<number, Uint8Array>): void {
    this.#outputs.push({ kind: "message", level: Level.clear, bytes: encodeMessage(Tag.REJ, values) });
  }

  #accept(
    message: Message,
    identity: Identity,
    serverName: string | undefined,
    config: OwnConfig,
    serverNonce: Uint8Array | undefined,
    address: string,
    now: Instant,
  ): void {
    const { crypto, entropy, settings, boxes } = this.#ground;
    if (!tagList(required(message, Tag.AEAD), "AEAD").includes(Tag.AESG)) {
      refuse("no-common-crypto", "AEAD", "the client does not take AES-GCM");
    }
    if (!tagList(required(message, Tag.KEXS), "KEXS").includes(Tag.C255)) {
      refuse("no-common-crypto", "KEXS", "the client does not take Curve25519");
    }
    const share = required(message, Tag.PUBS, 32);
    const parameters = readParameters(message);
    const nonce = required(message, Tag.NONC, 32);
    const inputs = {
      version: this.#version,
      cid: this.#cid,
      hello: message.raw,
      config: config.raw,
      leaf: identity.certificates[0]!,
    };
    const derive = (
      level: "initial" | "forward-secure",
      more: Uint8Array | undefined,
      shared: Secret | undefined,
    ): void => {
      if (shared === undefined) throw gquicFailure("invalid-share", "PUBS", "the client's public value is none");
      const nonces = more === undefined ? nonce : concat(nonce, more);
      this.#outputs.push({ kind: "keys", level, keys: deriveKeys(crypto, { ...inputs, level, nonces, shared }) });
      shared.wipe();
    };
    const agreement = crypto.agreement("X25519");
    derive("initial", serverNonce, agreement.conclude(config.privateKey, share));
    const answer = agreement.respond(share, entropy);
    const fresh = boxes.serverNonce(now);
    const versions = settings.versions.map(({ code }) => {
      const bytes = new Uint8Array(4);
      putU32(bytes, 0, code);
      return bytes;
    });
    const values = new Map<number, Uint8Array>([
      [Tag.PUBS, answer?.share ?? new Uint8Array(0)],
      [Tag.SNO, fresh],
      [Tag.STK, boxes.token(address, now)],
      [Tag.VER, concat(...versions)],
    ]);
    if (this.#version.reset === "stateless") values.set(Tag.SRST, boxes.resetToken(this.#cid));
    putParameters(values, settings);
    derive("forward-secure", fresh, answer?.secret);
    this.isComplete = true;
    this.#outputs.push({ kind: "parameters", parameters });
    this.#outputs.push({ kind: "message", level: Level.initial, bytes: encodeMessage(Tag.SHLO, values) });
    this.#outputs.push({
      kind: "complete",
      outcome: { peer: undefined, serverName, hellos: this.#hellos, resumed: this.#hellos === 1 },
    });
  }
}

/** Room for a signature and the small values of a REJ. */
const proofMax = 512;

/** A nonce's first four bytes are seconds, big-endian; one known client writes them little-endian. */
function timeOf(nonce: Uint8Array, now: Instant): Instant {
  const big = u32At(nonce, 0) * 1000;
  return Math.abs(big - now) <= strikeWindowMs ? big : fromLe(nonce.subarray(0, 4)) * 1000;
}
