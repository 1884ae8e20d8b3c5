import type { CryptoProvider, Entropy, Instant, SocketAddress } from "../../contract/index.js";
import { canProtect, espSuite } from "./algorithms.js";
import type { AssociationPair, LifetimeLimits } from "./association.js";
import { failure } from "./failure.js";
import { Inbound } from "./inbound.js";
import type { LimitName, PairStatus } from "./interfaces.js";
import { extendedSequenceMax, selectorsMax, sequenceMax, sequenceSoftShare, spiMin } from "./limits.js";
import { Outbound } from "./outbound.js";
import { opening, sealing } from "./protection.js";
import { Selectors } from "./selectors.js";

/** Limits with a number each: infinity for none. */
interface Bounds {
  readonly bytes: number;
  readonly packets: number;
  readonly at: number;
}

/** A pair that is installed: both associations, what they are for, and what counts against them. */
export class Pair {
  readonly spiIn: number;
  readonly spiOut: number;
  readonly inbound: Inbound;
  readonly outbound: Outbound;
  readonly selectors: Selectors;
  readonly ends: AssociationPair["ends"];
  /** RFC 3948 §3.1.2: after a NAT, checksums inside are made anew. */
  readonly isEncapsulated: boolean;
  readonly follows: boolean;
  readonly bornAt: Instant;
  peer: SocketAddress;
  /** Where the newest authentic packet came from. */
  heardFrom: SocketAddress;
  receivedAt: Instant | undefined;
  sentAt: Instant;
  /** Sends once something authentic came by it. */
  isPending = false;
  /** Receives still, and sends no more. */
  lingersUntil: Instant | undefined;
  readonly #soft: Bounds;
  readonly #hard: Bounds;
  readonly #sequenceMax: number;
  #isTold = false;

  constructor(crypto: CryptoProvider, entropy: Entropy, pair: AssociationPair, now: Instant) {
    const { algorithms, keysIn, keysOut } = pair;
    const suite = espSuite(algorithms);
    if (suite === undefined || !canProtect(crypto, suite)) {
      const { encryption, keyBits, integrity } = algorithms;
      const message = `there is no ESP with encryption ${encryption}, ${keyBits ?? "no"} key bits and integrity ${integrity}`;
      throw failure("unavailable-algorithm", message);
    }
    check(pair, suite.encryption.keySize + suite.encryption.saltSize, suite.integrity?.keySize ?? 0);
    this.spiIn = pair.spiIn;
    this.spiOut = pair.spiOut;
    this.inbound = new Inbound(pair.spiIn, opening(crypto, suite, keysIn), algorithms.isExtended);
    this.outbound = new Outbound(pair.spiOut, sealing(crypto, entropy, suite, keysOut));
    this.selectors = new Selectors(pair.local, pair.remote);
    this.ends = pair.mode === "transport" ? pair.ends : undefined;
    this.isEncapsulated = pair.encapsulation === "udp";
    this.follows = pair.follows ?? false;
    this.peer = this.heardFrom = { ...pair.peer };
    this.bornAt = this.sentAt = now;
    this.#sequenceMax = algorithms.isExtended ? extendedSequenceMax : sequenceMax;
    this.#soft = bounds(pair.lifetime?.soft, Math.floor(this.#sequenceMax * sequenceSoftShare), now);
    this.#hard = bounds(pair.lifetime?.hard, this.#sequenceMax, now);
  }

  /** The hard limit that was reached, if one was. */
  hardLimit(now: Instant): LimitName | undefined {
    return this.#reached(this.#hard, now);
  }

  /** The soft limit that was reached: told once. */
  softLimit(now: Instant): LimitName | undefined {
    if (this.#isTold) return undefined;
    const limit = this.#reached(this.#soft, now);
    this.#isTold = limit !== undefined;
    return limit;
  }

  /** The next moment at which a limit of time falls. */
  limitAt(): Instant | undefined {
    if (this.lingersUntil !== undefined) return this.lingersUntil;
    const at = Math.min(this.#isTold ? Number.POSITIVE_INFINITY : this.#soft.at, this.#hard.at);
    return at === Number.POSITIVE_INFINITY ? undefined : at;
  }

  get status(): Omit<PairStatus, "sends"> {
    const { spiIn, spiOut, peer, bornAt, receivedAt, inbound, outbound } = this;
    return {
      spiIn,
      spiOut,
      peer,
      bornAt,
      receivedAt,
      packetsSent: outbound.packets,
      packetsReceived: inbound.packets,
      bytesSent: outbound.bytes,
      bytesReceived: inbound.bytes,
    };
  }

  destroy(): void {
    this.inbound.destroy();
    this.outbound.destroy();
  }

  /** RFC 4301 §4.4.2.1: limits hold for each of the two associations, and the first to be reached counts. */
  #reached({ bytes, packets, at }: Bounds, now: Instant): LimitName | undefined {
    const { inbound, outbound } = this;
    if (now >= at) return "seconds";
    if (outbound.packets >= packets || inbound.packets >= packets) {
      return packets >= Math.floor(this.#sequenceMax * sequenceSoftShare) ? "sequence" : "packets";
    }
    return outbound.bytes >= bytes || inbound.bytes >= bytes ? "bytes" : undefined;
  }
}

function bounds(limits: LifetimeLimits | undefined, packetsMax: number, now: Instant): Bounds {
  const { bytes = Number.POSITIVE_INFINITY, packets = packetsMax, seconds } = limits ?? {};
  return {
    bytes,
    packets: Math.min(packets, packetsMax),
    at: seconds === undefined ? Number.POSITIVE_INFINITY : now + 1_000 * seconds,
  };
}

/** What only a mistake of ours can be wrong about. */
function check(pair: AssociationPair, encryption: number, integrity: number): void {
  const { spiIn, spiOut, keysIn, keysOut, mode, ends, local, remote } = pair;
  const wrong = (message: string): never => {
    throw failure("bad-association", message);
  };
  for (const spi of [spiIn, spiOut]) {
    if (!Number.isInteger(spi) || spi < spiMin || spi > 0xffff_ffff) wrong(`${spi} is no SPI (RFC 4303 §2.1)`);
  }
  for (const keys of [keysIn, keysOut]) {
    if (keys.encryption.wiped || keys.integrity?.wiped) wrong("the keys have been used up");
    if (keys.encryption.size !== encryption) wrong(`the encryption key wants ${encryption} bytes, salt included`);
    if ((keys.integrity?.size ?? 0) !== integrity) wrong(`the integrity key wants ${integrity} bytes`);
  }
  for (const side of [local, remote]) {
    if (side.length === 0 || side.length > selectorsMax) wrong(`${side.length} traffic selectors`);
    for (const { start, end } of side) {
      if (start.length !== end.length || (start.length !== 4 && start.length !== 16)) wrong("a selector of no family");
    }
  }
  if (mode === "transport" && (ends === undefined || ends.local.length !== ends.remote.length)) {
    wrong("transport mode needs both ends' addresses");
  }
}
