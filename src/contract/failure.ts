/**
 * Whose fault it was. One of eight, on every protocol:
 * - `decode`: the bytes do not parse
 * - `authentication`: a proof failed: a tag, a signature, a chain, a name
 * - `misbehaviour`: the peer broke the protocol's rules
 * - `incompatible`: both sides are right, but share no parameters
 * - `expired`: a key, ticket, certificate or deadline is too old
 * - `unreachable`: the network or the peer did not answer, or went away
 * - `misuse`: the caller asked for something in the wrong order or out of range
 * - `refused`: the peer or a policy said no
 */
export type Fault =
  | "decode"
  | "authentication"
  | "misbehaviour"
  | "incompatible"
  | "expired"
  | "unreachable"
  | "misuse"
  | "refused";

export interface FailureDetails<Reason extends string = string> {
  readonly fault: Fault;
  /** The protocol's own reason, from that protocol's closed list. */
  readonly reason: Reason;
  /** Name of the room: "TLS", "pki", "taps" … */
  readonly protocol: string;
  /** The message or field at which it happened, by its specification's name. */
  readonly at?: string;
  /** What happened, in one sentence for people. */
  readonly message: string;
  /** What to try. */
  readonly hint?: string;
  /** The alert, error code or notification number that the peer sent or will be sent. */
  readonly code?: number;
  /** True when the peer told us of it, rather than we the peer. */
  readonly byPeer?: boolean;
  readonly cause?: unknown;
}

const brand = Symbol.for("sealport.failure");

/**
 * The one error type of the library. Machines put it into events; promises are rejected with it. `fault` says whose
 * fault it was and `reason` what exactly; both are stable, the message is not. `instanceof` holds across copies of
 * the package.
 */
export class Failure<Reason extends string = string> extends Error {
  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === "object" && value !== null && brand in value;
  }

  override readonly name: string = "Failure";
  readonly fault: Fault;
  readonly reason: Reason;
  readonly protocol: string;
  readonly at: string | undefined;
  readonly hint: string | undefined;
  readonly code: number | undefined;
  readonly byPeer: boolean;

  constructor(details: FailureDetails<Reason>) {
    super(details.message, details.cause === undefined ? undefined : { cause: details.cause });
    this.fault = details.fault;
    this.reason = details.reason;
    this.protocol = details.protocol;
    this.at = details.at;
    this.hint = details.hint;
    this.code = details.code;
    this.byPeer = details.byPeer ?? false;
    Object.defineProperty(this, brand, { value: true });
  }

  /** All that a machine-readable report may hold; no secrets ever reach a Failure. */
  toJSON(): Record<string, unknown> {
    const { fault, reason, protocol, at, message, hint, code, byPeer } = this;
    return { fault, reason, protocol, at, message, hint, code, byPeer };
  }
}
