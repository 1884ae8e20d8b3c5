import { equal, putVarint, varintSize } from "../../../bytes/index.js";
import { equalInConstantTime } from "../../../contract/index.js";
import { Held, type Holder } from "../contents.js";
import { refuse } from "../failure.js";
import { FrameType } from "../wire/frame-types.js";
import { cidSizeMax, retirementsFactor } from "./limits.js";
import { resetTokenSize } from "./reset-tokens.js";

/** A connection id of the peer's. */
export interface PeerCid {
  readonly sequence: number;
  readonly cid: Uint8Array;
}

interface Known extends PeerCid {
  token: Uint8Array | undefined;
  /** We have sent packets with it, or are about to. Only then may its token end the connection (RFC 9000 §10.3.1). */
  isUsed: boolean;
}

const at = "NEW_CONNECTION_ID";

/** The connection ids by which we call the peer (RFC 9000 §5.1.2): keeps what it gives, and gives back what it takes away. */
export class PeerCids {
  readonly #limit: number;
  readonly #known = new Map<number, Known>();
  /** Sequence numbers, few and each once. */
  readonly #toRetire: number[] = [];
  /** Sent, and not acknowledged. */
  readonly #retiring: number[] = [];
  #retirePriorTo = 0;
  #current: Known = { sequence: 0, cid: new Uint8Array(0), token: undefined, isUsed: true };

  /** @param limit our active_connection_id_limit (§18.2) */
  constructor({ limit }: { readonly limit: number }) {
    this.#limit = limit;
    this.#known.set(0, this.#current);
  }

  /** Takes the id of the handshake, sequence number 0; again, when a Retry or the server's first packet brings another. */
  initial(cid: Uint8Array): void {
    this.#current = { sequence: 0, cid, token: this.#known.get(0)?.token, isUsed: true };
    this.#known.set(0, this.#current);
  }

  /** stateless_reset_token: a server's, for the id of the handshake. */
  setResetToken(token: Uint8Array): void {
    const first = this.#known.get(0);
    if (first !== undefined) first.token = token;
  }

  /** The id of preferred_address, sequence number 1. */
  preferred(cid: Uint8Array, token: Uint8Array): void {
    this.#known.set(1, { sequence: 1, cid, token, isUsed: false });
  }

  /** What packets on the path in use are called by. */
  get current(): PeerCid {
    return this.#current;
  }

  get isZeroLength(): boolean {
    return this.#current.cid.length === 0;
  }

  /** Are there ids that no path has used (§9.5)? */
  get hasFresh(): boolean {
    for (const each of this.#known.values()) if (!each.isUsed) return true;
    return false;
  }

  /** Is it an id of the peer's that it has not retired, nor we? */
  has(sequence: number): boolean {
    return this.#known.has(sequence);
  }

  /** An id that was never used, for another path; it counts as used from now on. */
  takeFresh(): PeerCid | undefined {
    for (const each of this.#known.values()) {
      if (each.isUsed) continue;
      each.isUsed = true;
      return each;
    }
    return undefined;
  }

  /** Packets on the path in use are called by this one from now on. Undefined retired it meanwhile: nothing changes. */
  use(sequence: number): void {
    const known = this.#known.get(sequence);
    if (known === undefined) return;
    known.isUsed = true;
    this.#current = known;
  }

  /** We will not use it any more. Never the one in use. */
  retire(sequence: number): void {
    if (sequence === this.#current.sequence || !this.#known.delete(sequence)) return;
    add(this.#toRetire, sequence);
  }

  /** Takes NEW_CONNECTION_ID (§19.15). The views are copied. */
  onNew(sequence: number, retirePriorTo: number, cid: Uint8Array, token: Uint8Array): void {
    if (this.isZeroLength)
      refuse("connection-id-misuse", at, "the peer's connection id is empty, and has no successors");
    if (retirePriorTo > sequence) refuse("malformed-frame", at, "it retires itself");
    if (cid.length < 1 || cid.length > cidSizeMax)
      refuse("malformed-frame", at, `a connection id of ${cid.length} bytes`);
    this.#checkRepeated(sequence, cid, token);
    // §5.1.2: what is retired already is given back without being used.
    if (sequence < this.#retirePriorTo) {
      if (!this.#known.has(sequence) && !this.#retiring.includes(sequence)) add(this.#toRetire, sequence);
    } else if (!this.#known.has(sequence) && !this.#toRetire.includes(sequence) && !this.#retiring.includes(sequence)) {
      this.#known.set(sequence, { sequence, ...copied(cid, token), isUsed: false });
    }
    if (retirePriorTo > this.#retirePriorTo) this.#retireBelow(retirePriorTo);
    if (this.#known.size > this.#limit) {
      refuse("connection-id-limit", at, `${this.#known.size} active connection ids; the limit is ${this.#limit}`);
    }
    if (this.#toRetire.length + this.#retiring.length > retirementsFactor * this.#limit) {
      refuse("connection-id-limit", at, "more retirements than we keep count of");
    }
  }

  /** Does a datagram that could not be opened end in one of the tokens (§10.3.1)? All are compared, in constant time. */
  isResetToken(datagram: Uint8Array): boolean {
    if (datagram.length < resetTokenSize) return false;
    const tail = datagram.subarray(datagram.length - resetTokenSize);
    let found = false;
    for (const { token, isUsed } of this.#known.values()) {
      if (token !== undefined && isUsed && equalInConstantTime(token, tail)) found = true;
    }
    return found;
  }

  get wants(): boolean {
    return this.#toRetire.length > 0;
  }

  /** Writes RETIRE_CONNECTION_ID frames (§19.16) between `at` and `end`, and answers where they end. */
  fill(into: Uint8Array, at: number, end: number, holder: Holder): number {
    let to = at;
    for (let sequence = this.#toRetire[0]; sequence !== undefined; sequence = this.#toRetire[0]) {
      if (to + 1 + varintSize(sequence) > end) break;
      into[to] = FrameType.retireConnectionId;
      to = putVarint(into, to + 1, sequence);
      holder.hold(Held.retireConnectionId, sequence, 0, 0);
      this.#toRetire.shift();
      add(this.#retiring, sequence);
    }
    return to;
  }

  acknowledged(sequence: number): void {
    remove(this.#retiring, sequence);
    remove(this.#toRetire, sequence);
  }

  lost(sequence: number): void {
    if (remove(this.#retiring, sequence)) add(this.#toRetire, sequence);
  }

  #checkRepeated(sequence: number, cid: Uint8Array, token: Uint8Array): void {
    for (const each of this.#known.values()) {
      const sameId = equal(each.cid, cid);
      if ((each.sequence === sequence) !== sameId) {
        refuse("connection-id-misuse", at, `sequence number ${sequence} comes with the connection id of another`);
      }
      if (sameId && each.token !== undefined && !equalInConstantTime(each.token, token)) {
        refuse("connection-id-misuse", at, `connection id ${sequence} comes again with another token`);
      }
    }
  }

  #retireBelow(sequence: number): void {
    this.#retirePriorTo = sequence;
    for (const each of this.#known.keys()) {
      if (each >= sequence) continue;
      this.#known.delete(each);
      add(this.#toRetire, each);
    }
    if (this.#current.sequence >= sequence) return;
    // The frame itself brought one, so there is always a successor, unless it was given back before.
    for (const each of this.#known.values()) {
      each.isUsed = true;
      this.#current = each;
      return;
    }
    refuse("connection-id-misuse", at, "every connection id is retired");
  }
}

/** Both in one piece of memory: an idle connection has several of them. */
function copied(cid: Uint8Array, token: Uint8Array): { readonly cid: Uint8Array; readonly token: Uint8Array } {
  const both = new Uint8Array(cid.length + token.length);
  both.set(cid);
  both.set(token, cid.length);
  return { cid: both.subarray(0, cid.length), token: both.subarray(cid.length) };
}

function add(list: number[], sequence: number): void {
  if (!list.includes(sequence)) list.push(sequence);
}

function remove(list: number[], sequence: number): boolean {
  const index = list.indexOf(sequence);
  if (index >= 0) list.splice(index, 1);
  return index >= 0;
}
