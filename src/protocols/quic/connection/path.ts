import { equal } from "../../../bytes/index.js";
import type { Entropy, Instant, SocketAddress } from "../../../contract/index.js";
import { limits } from "../limits.js";

/** Bytes of a PATH_CHALLENGE (RFC 9000 §19.17). */
const challengeSize = 8;
/** Challenges before a path is given up, at the least and at the most. Each waits twice as long as the last. */
const challengesMin = 3;
const challengesMax = 16;
/** RFC 9000 §8.1: to an address that has not proved itself, no more than three times what came from it. */
const amplificationMax = 3;

export const sameAddress = (a: SocketAddress, b: SocketAddress): boolean =>
  a.port === b.port && a.address === b.address;

interface Challenge {
  readonly data: Uint8Array;
  /** Did it go in a datagram that shows that the path carries 1200 bytes (§8.2.1)? */
  readonly isFull: boolean;
}

/** A pair of addresses, and what is known of it (RFC 9000 §8.2, §9). */
export class Path {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  isValidated: boolean;
  /** Was the last challenge answered? A path that had none is taken to be there. */
  isViable = true;
  /** Its address has proved itself, and nothing has shown yet that it carries 1200 bytes (§8.2.3). */
  isSizeUnproved = false;
  /** The peer wants to be here; it waits for us to be sure of the path (§9.6.2). */
  isWanted = false;
  /** Is it bound by bound by §8.1 until it is validated? Servers' paths are. */
  readonly isLimited: boolean;
  /** Id of the peer's that we use here, by its sequence number. */
  cid: Uint8Array;
  cidSequence: number;
  /** Without an id of its own nothing is sent here (§9.3): the peer has given none to spare. */
  isNameless = false;
  /** The id of ours that the peer used here last. */
  arrivedOn: Uint8Array = new Uint8Array(0);
  bytesReceived = 0;
  bytesSent = 0;
  readonly #responses: Uint8Array[] = [];
  /** Those of this validation that are sent: each may be answered. */
  readonly #challenges: Challenge[] = [];
  #isLast = false;
  #askedAt: Instant = 0;
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
    return this.#isDue || this.#challengeAt !== Number.POSITIVE_INFINITY;
  }

  /** Asks the peer to prove that it hears us here (§8.2.1); what was asked before is asked anew. */
  validate(): void {
    this.#stop();
    this.#isDue = true;
  }

  /** True if this is the answer to a challenge of ours (§8.2.3). */
  answered(data: Uint8Array): boolean {
    const challenge = this.#challenges.find((each) => equal(each.data, data));
    if (challenge === undefined) return false;
    this.isValidated = true;
    this.isViable = true;
    this.isSizeUnproved = !challenge.isFull;
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
    return this.#challenges.length > 1;
  }

  get wantsProbe(): boolean {
    return !this.isNameless && (this.#isDue || this.#responses.length > 0);
  }

  /** Something is to be sent here as soon as there is an id for it. */
  get wantsName(): boolean {
    return this.#isDue || this.#responses.length > 0;
  }

  takeResponse(): Uint8Array | undefined {
    return this.#responses.shift();
  }

  /** Has to be asked now. */
  get isChallengeDue(): boolean {
    return this.#isDue;
  }

  /**
   * Data of the challenge that is sent now: other bytes each time (§13.3).
   * @param isFull - goes in a datagram of 1200 bytes
   * @param ptoMs - the first wait for an answer
   * @param patienceMs - the least before the path is given up (§8.2.4)
   */
  takeChallenge(entropy: Entropy, isFull: boolean, ptoMs: number, patienceMs: number, now: Instant): Uint8Array {
    const data = entropy.fill(new Uint8Array(challengeSize));
    if (this.#challenges.length === 0) this.#askedAt = now;
    this.#isDue = false;
    this.#challengeAt = now + ptoMs * 2 ** this.#challenges.length;
    this.#challenges.push({ data, isFull });
    const { length } = this.#challenges;
    this.#isLast =
      length >= challengesMax || (length >= challengesMin && this.#challengeAt >= this.#askedAt + patienceMs);
    return data;
  }

  /** When the answer to a challenge is late. */
  deadline(): Instant | undefined {
    return this.#challengeAt === Number.POSITIVE_INFINITY ? undefined : this.#challengeAt;
  }

  /** True if the path has failed: nobody has answered (§8.2.4). */
  wake(now: Instant): boolean {
    if (now < this.#challengeAt) return false;
    this.#challengeAt = Number.POSITIVE_INFINITY;
    if (!this.#isLast) {
      this.#isDue = true;
      return false;
    }
    this.#stop();
    this.isViable = false;
    return true;
  }

  #stop(): void {
    this.#challenges.length = 0;
    this.#isLast = false;
    this.#challengeAt = Number.POSITIVE_INFINITY;
    this.#isDue = false;
  }
}
