import { type Entropy, equalInConstantTime, type Instant, type SocketAddress } from "../../../contract/index.js";
import { limits, pathTimeoutMs, retransmitMs } from "../limits.js";

/** Messages of return_routability_check, RFC 9853 §4. */
const challenge = 0;
const response = 1;
const cookieSize = 8;
export const pathMessageSize = 1 + cookieSize;

interface Message {
  readonly to: SocketAddress;
  readonly type: number;
  readonly cookie: Uint8Array;
}

/**
 * Whether the peer can be reached where its records seem to come from (RFC 9146 §6, RFC 9853): an attacker can send a record
 * that it saw from an address of its own choice, but it cannot answer what we send there.
 */
export class Paths {
  readonly #entropy: Entropy;
  #tried: { readonly to: SocketAddress; readonly cookie: Uint8Array; readonly until: Instant } | undefined;
  #again: Instant | undefined;
  readonly #outgoing: Message[] = [];

  constructor(entropy: Entropy) {
    this.#entropy = entropy;
  }

  get deadline(): Instant | undefined {
    return this.#tried === undefined ? undefined : Math.min(this.#again!, this.#tried.until);
  }

  /** Something authentic and new came from there: can the peer hear us there? */
  challenge(to: SocketAddress, now: Instant): void {
    if (this.#tried !== undefined && isSame(this.#tried.to, to)) return;
    const cookie = this.#entropy.fill(new Uint8Array(cookieSize));
    this.#tried = { to, cookie, until: now + pathTimeoutMs };
    this.#say(to, challenge, cookie);
    this.#again = now + retransmitMs;
  }

  /** A message of the peer's. Answers true if it proves that the peer is at `from`. */
  receive(bytes: Uint8Array, at: number, size: number, from: SocketAddress): boolean {
    if (size !== pathMessageSize) return false;
    const cookie = bytes.slice(at + 1, at + pathMessageSize);
    if (bytes[at] === challenge) this.#say(from, response, cookie);
    const tried = this.#tried;
    if (bytes[at] !== response || tried === undefined || !isSame(tried.to, from)) return false;
    if (!equalInConstantTime(tried.cookie, cookie)) return false;
    this.#tried = undefined;
    return true;
  }

  due(now: Instant): void {
    const tried = this.#tried;
    if (tried === undefined) return;
    if (tried.until <= now) this.#tried = undefined;
    else if (this.#again! <= now) {
      this.#say(tried.to, challenge, tried.cookie);
      this.#again = now + retransmitMs;
    }
  }

  get isPending(): boolean {
    return this.#outgoing.length > 0;
  }

  /** Writes the next message; answers where it goes. */
  write(bytes: Uint8Array, at: number): SocketAddress | undefined {
    const message = this.#outgoing.shift();
    if (message === undefined) return undefined;
    bytes[at] = message.type;
    bytes.set(message.cookie, at + 1);
    return message.to;
  }

  #say(to: SocketAddress, type: number, cookie: Uint8Array): void {
    this.#outgoing.push({ to, type, cookie });
    if (this.#outgoing.length > 2 * limits.pathChallengesMax) this.#outgoing.shift();
  }
}

export const isSame = (a: SocketAddress, b: SocketAddress): boolean =>
  a.port === b.port && a.address === b.address && a.zone === b.zone;
