import type { CryptoProvider } from "../../contract/index.js";
import { type DropCounts, type DropReason, failure, noDrops } from "./failure.js";
import { checkMasterKey, type MasterKey } from "./keys.js";
import {
  defaultSourcesMax,
  keyDerivationRateMax,
  rtcpWindowBits,
  rtpWindowBits,
  sourcesMax,
  windowBitsMax,
} from "./limits.js";
import { Master } from "./master.js";
import { profiles, type SrtpProfile, type SrtpProfileName } from "./profiles.js";
import { Source } from "./source.js";
import type { Keystream } from "./transforms/keystreams.js";
import { maskElements } from "./wire/header-extension.js";
import { csrcSize, extensionHeaderSize, hasExtension, rtpLayout, u32 } from "./wire/layout.js";

/** What both directions of SRTP are made from (RFC 3711 §3.2.1: the cryptographic context). */
export interface SrtpContextOptions {
  readonly crypto: CryptoProvider;
  /** ALG: one of `profiles`, by name. */
  readonly profile: SrtpProfileName;
  /** PSKI: read and not kept; the caller wipes it. */
  readonly key: MasterKey;
  /** Packets after which session keys are derived anew: a power of two up to 2^24, or 0 for never. Default 0. */
  readonly keyDerivationRate?: number;
  /** Sources (SSRCs) of this direction. Default 1,024, at most 65,536; a further one is dropped and counted. */
  readonly sourcesMax?: number;
  /** Bits of the replay window of RTP, a power of two from 128 to 32,768. Default 1,024. */
  readonly windowBits?: number;
  /** Identifiers of header extension elements that are encrypted (RFC 6904), as `a=extmap` gave them. Default none. */
  readonly encryptedExtensions?: Iterable<number>;
  /**
   * Encrypt CSRCs and header extensions (RFC 9335), if both sides said so. A receiver that has it `required` drops what
   * comes without. Default `off`. Packets that it covers have no elements encrypted by RFC 6904 beside it.
   */
  readonly cryptex?: "off" | "on" | "required";
  /** RTP payloads in the clear, still authenticated; not under GCM (RFC 4568 §6.3.2, RFC 7714 §8.2). Default false. */
  readonly unencryptedRtp?: boolean;
}

/** What sealing and opening share: sources, keys, header extensions, counts. */
export abstract class SrtpContext {
  readonly profile: SrtpProfileName;
  /** Packets that were neither protected nor delivered, by reason. */
  readonly drops: DropCounts = noDrops();
  protected readonly row: SrtpProfile;
  protected readonly cryptex: "off" | "on" | "required";
  protected readonly unencryptedRtp: boolean;
  readonly #crypto: CryptoProvider;
  readonly #rate: number;
  readonly #windowBits: number;
  readonly #sourcesMax: number;
  readonly #sources = new Map<number, Source>();
  #last: Source | undefined;
  #lastSsrc = -1;
  readonly #extensions: ReadonlySet<number>;
  /** The header's first bytes, which f8 reads, and room for a keystream behind them. */
  #mask = new Uint8Array(0);

  constructor(options: SrtpContextOptions) {
    const { crypto, profile, key, keyDerivationRate = 0, windowBits = rtpWindowBits } = options;
    const row: SrtpProfile | undefined = profiles[profile];
    if (row === undefined) throw failure("bad-configuration", `there is no SRTP profile ${String(profile)}`);
    checkMasterKey(profile, key);
    if (keyDerivationRate !== 0 && !isPowerOfTwo(keyDerivationRate, keyDerivationRateMax)) {
      throw failure("bad-configuration", "a key derivation rate is 0 or a power of two up to 2^24", {
        at: "keyDerivationRate",
      });
    }
    if (windowBits < 128 || !isPowerOfTwo(windowBits, windowBitsMax)) {
      throw failure("bad-configuration", `a window has a power of two bits, 128 to ${windowBitsMax}`, {
        at: "windowBits",
      });
    }
    if (options.unencryptedRtp && row.kind === "gcm") {
      throw failure("bad-configuration", "GCM always encrypts RTP (RFC 7714 §8.2)", { at: "unencryptedRtp" });
    }
    if (options.unencryptedRtp && (options.cryptex ?? "off") !== "off") {
      throw failure("bad-configuration", "Cryptex hides headers, and nothing is encrypted", { at: "cryptex" });
    }
    this.profile = profile;
    this.row = row;
    this.cryptex = options.cryptex ?? "off";
    this.unencryptedRtp = options.unencryptedRtp ?? false;
    this.#crypto = crypto;
    this.#rate = keyDerivationRate;
    this.#windowBits = windowBits;
    this.#sourcesMax = Math.min(options.sourcesMax ?? defaultSourcesMax, sourcesMax);
    this.#extensions = new Set(options.encryptedExtensions);
  }

  /** Number of sources seen. */
  get sources(): number {
    return this.#sources.size;
  }

  /**
   * Tells a source's rollover counter to a direction that begins in the middle (RFC 3711 §3.3.1). It never takes a source
   * back.
   */
  tellRollover(ssrc: number, counter: number): void {
    if (!Number.isInteger(counter) || counter < 0 || counter > 0xffff_ffff) {
      throw failure("bad-configuration", "a rollover counter has 32 bits");
    }
    const source = this.find(ssrc >>> 0) ?? this.add(ssrc >>> 0);
    if (source === undefined) throw failure("bad-configuration", "the table of sources is full");
    source.tellRollover(counter);
  }

  protected find(ssrc: number): Source | undefined {
    if (ssrc === this.#lastSsrc) return this.#last;
    const source = this.#sources.get(ssrc);
    if (source !== undefined) {
      this.#last = source;
      this.#lastSsrc = ssrc;
    }
    return source;
  }

  protected get isFull(): boolean {
    return this.#sources.size >= this.#sourcesMax;
  }

  protected newSource(): Source {
    return new Source(this.#windowBits, rtcpWindowBits);
  }

  /** Undefined if the table is full. */
  protected add(ssrc: number, source = this.newSource()): Source | undefined {
    if (this.isFull) return undefined;
    this.#sources.set(ssrc, source);
    return source;
  }

  protected master(key: MasterKey): Master {
    return new Master(this.#crypto, this.profile, key, this.#rate);
  }

  protected get masksExtensions(): boolean {
    return this.#extensions.size > 0;
  }

  /** RFC 6904 §3: the header's `header` bytes, encrypted or decrypted. */
  protected mask(bytes: Uint8Array, at: number, header: number, keystream: Keystream, index: number): void {
    if (!hasExtension(bytes, at)) return;
    const fixed = rtpLayout.fixedSize;
    const size = header - fixed - csrcSize(bytes, at) - extensionHeaderSize;
    if (size === 0) return;
    if (this.#mask.length < fixed + size) this.#mask = new Uint8Array(Math.max(fixed + size, 268));
    const mask = this.#mask;
    for (let i = 0; i < fixed; i++) mask[i] = bytes[at + i]!;
    mask.fill(0, fixed, fixed + size);
    keystream.apply(mask, 0, fixed, size, u32(bytes, at + rtpLayout.ssrc), index);
    maskElements(bytes, at, header, mask, fixed, this.#extensions);
  }

  protected drop(reason: DropReason): DropReason {
    this.drops[reason]++;
    return reason;
  }
}

const isPowerOfTwo = (value: number, max: number): boolean =>
  Number.isInteger(value) && value > 0 && value <= max && (value & (value - 1)) === 0;
