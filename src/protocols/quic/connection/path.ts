import type { Entropy, Instant, SocketAddress } from "../../../contract/index.js";
import { limits } from "../limits.js";

/** Bytes of a PATH_CHALLENGE (RFC 9000 §19.17). */
const challengeSize = 8;
/** Challenges before a path is given up, each a probe timeout after the last. */
const challengesMax = 3;
/** RFC 9000 §8.1: to an address that has not proved itself, no more than three times what came from it. */
const amplificationMax = 3;

export const sameAddress = (a: SocketAddress, b: SocketAddress): boolean =>
  a.port === b.port && a.address === b.address;

/** A pair of addresses, and what is known of it (RFC 9000 §8.2, §9). */
export class Path {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  isValidated: boolean;
  /** Is it bound by §8.1 until it is validated? Servers' paths are. */
  readonly isLimited: boolean;
  /** Id of the peer's that we use here, by its sequence number. */
  cid: Uint8Array;
  cidSequence: number;
  /** The id of ours that the peer used here last. */
  arrivedOn: Uint8Array = new Uint8Array(0);
  bytesReceived = 0;
  bytesSent = 0;
  readonly #responses: Uint8Array[] = [];
  #challenge: Uint8Array | undefined;
  #challengesLeft = 0;
  #challengeAt: Instant = Number.POSITIVE_INFINITY;
  #isDue = false;

  constructor(
    local: SocketAddress,
    remote: SocketAddress,
    state: { readonly isValidated: boolean; readonly isLimited: boolean },
    cid: Uint8Array,
    cidSequence: number,
  ) {
    this.local = local;
    this.remote = remote;
    this.isValidated = state.isValidated;
    this.isLimited = state.isLimited;
    this.cid = cid;
    this.cidSequence = cidSequence;
  }

  is(local: SocketAddress, remote: SocketAddress): boolean {
    return sameAddress(this.remote, remote) && sameAddress(this.local, local);
  }

  /** Bytes that may be sent now (§8.1). */
  get room(): number {
    return this.isValidated || !this.isLimited
      ? Number.POSITIVE_INFINITY
      : amplificationMax * this.bytesReceived - this.bytesSent;
  }

  get isValidating(): boolean {
    return this.#challengesLeft > 0 || this.#challengeAt !== Number.POSITIVE_INFINITY;
  }

  /** Asks the peer to prove that it hears us here (§8.2.1). */
  validate(entropy: Entropy): void {
    this.#challenge = entropy.fill(new Uint8Array(challengeSize));
    this.#challengesLeft = challengesMax;
    this.#isDue = true;
  }

  /** True if this is the answer to our challenge (§8.2.3). */
  answered(data: Uint8Array): boolean {
    const challenge = this.#challenge;
    if (challenge === undefined || !challenge.every((byte, i) => byte === data[i])) return false;
    this.isValidated = true;
    this.#stop();
    return true;
  }

  /** The peer's challenge: it is answered here, on the path on which it came (§8.2.2). */
  challenged(data: Uint8Array): void {
    if (this.#responses.length === limits.pathResponsesMax) this.#responses.shift();
    this.#responses.push(data.slice());
  }

  /** Has a challenge gone unanswered? */
  get isChallengedAgain(): boolean {
    return this.#challenge !== undefined && this.#challengesLeft < challengesMax - 1;
  }

  get wantsProbe(): boolean {
    return this.#isDue || this.#responses.length > 0;
  }

  takeResponse(): Uint8Array | undefined {
    return this.#responses.shift();
  }

  /** The challenge to be sent now, if one is due; the next after `timeoutMs`. */
  takeChallenge(now: Instant, timeoutMs: number): Uint8Array | undefined {
    if (!this.#isDue) return undefined;
    this.#isDue = false;
    this.#challengesLeft--;
    this.#challengeAt = now + timeoutMs;
    return this.#challenge;
  }

  /** When the answer to a challenge is late. */
  deadline(): Instant | undefined {
    return this.#challengeAt === Number.POSITIVE_INFINITY ? undefined : this.#challengeAt;
  }

  /** True if the path has failed: nobody has answered (§8.2.4). */
  wake(now: Instant): boolean {
    if (now < this.#challengeAt) return false;
    this.#challengeAt = Number.POSITIVE_INFINITY;
    if (this.#challengesLeft > 0) {
      this.#isDue = true;
      return false;
    }
    this.#stop();
    return true;
  }

  #stop(): void {
    this.#challenge = undefined;
    this.#challengesLeft = 0;
    this.#challengeAt = Number.POSITIVE_INFINITY;
    this.#isDue = false;
  }
}
