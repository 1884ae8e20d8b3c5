import { equal, putVarint, varintSize } from "../../../bytes/index.js";
import type { Entropy } from "../../../contract/index.js";
import { Held, type Holder } from "../contents.js";
import { refuse } from "../failure.js";
import type { ConnectionIdGenerator } from "../options.js";
import { FrameType } from "../wire/frame-types.js";
import { issuedMax } from "./limits.js";
import { type ResetTokens, resetTokenSize } from "./reset-tokens.js";

export interface OwnCidsOptions {
  readonly generator: ConnectionIdGenerator;
  readonly entropy: Entropy;
  /** Where the tokens of ids come from. Without it, tokens are drawn: nobody will ever reset by them. */
  readonly tokens: ResetTokens | undefined;
  /** The id of the handshake, sequence number 0. Empty: there are no others. */
  readonly initial: Uint8Array;
}

/** A packet with this id is ours from now on, or no longer. */
export interface CidEvent {
  readonly kind: "issued" | "retired";
  readonly cid: Uint8Array;
}

/** The connection ids by which the peer calls us (RFC 9000 §5.1.1): gives out as many as it takes, and new ones for retired. */
export class OwnCids {
  readonly #options: OwnCidsOptions;
  /** By sequence number; that of the handshake has its token, if any, in the transport parameters. */
  readonly #active = new Map<number, { readonly cid: Uint8Array; readonly drawn: Uint8Array | undefined }>();
  /** Sequence numbers of which the peer is to be told, few and each once. */
  #toSend: number[] = [];
  readonly #events: CidEvent[] = [];
  #next = 1;
  #retirePriorTo = 0;
  #limit = 1;
  #hasStarted = false;

  constructor(options: OwnCidsOptions) {
    this.#options = options;
    this.#active.set(0, { cid: options.initial, drawn: undefined });
  }

  /** The ids that the peer may use. */
  get active(): readonly Uint8Array[] {
    return Array.from(this.#active.values(), ({ cid }) => cid);
  }

  get isZeroLength(): boolean {
    return this.#options.initial.length === 0;
  }

  /** Is there a NEW_CONNECTION_ID frame to send? */
  get wants(): boolean {
    return this.#toSend.length > 0;
  }

  /** Takes the peer's active_connection_id_limit, at least 2 (§18.2). */
  setPeerLimit(limit: number): void {
    this.#limit = Math.min(limit, issuedMax);
  }

  /** The handshake is over: from now on the peer holds as many ids as it takes. */
  start(): void {
    this.#hasStarted = true;
    this.#issue();
  }

  /** The id that goes with our preferred address, sequence number 1 (§5.1.1). Before any other is issued. */
  preferred(): { readonly cid: Uint8Array; readonly token: Uint8Array } {
    const sequence = this.#make();
    return { cid: this.#active.get(sequence)!.cid, token: this.#token(sequence) };
  }

  /** Asks the peer to change to new ids, all at once. */
  rotate(): void {
    if (this.isZeroLength) return;
    this.#retirePriorTo = this.#next;
    this.#issue();
    // Asked for in the newest, which must go even if the peer holds enough.
    if (this.#toSend.length === 0) this.#toSend.push(this.#make());
  }

  /** Takes RETIRE_CONNECTION_ID (§19.16). @param arrivedBy the id in the packet's header */
  onRetire(sequence: number, arrivedBy: Uint8Array): void {
    const at = "RETIRE_CONNECTION_ID";
    if (this.isZeroLength) refuse("connection-id-misuse", at, "our connection id is empty, and cannot be retired");
    if (sequence >= this.#next) refuse("connection-id-misuse", at, `connection id ${sequence} was never issued`);
    const retired = this.#active.get(sequence);
    if (retired === undefined) return;
    if (equal(retired.cid, arrivedBy))
      refuse("connection-id-misuse", at, "a packet retires the connection id that it came by");
    this.#active.delete(sequence);
    this.#toSend = this.#toSend.filter((each) => each !== sequence);
    this.#events.push({ kind: "retired", cid: retired.cid });
    this.#issue();
  }

  /** Writes NEW_CONNECTION_ID frames (§19.15) between `at` and `end`, and answers where they end. */
  fill(into: Uint8Array, at: number, end: number, holder: Holder): number {
    let to = at;
    for (let sequence = this.#toSend[0]; sequence !== undefined; sequence = this.#toSend[0]) {
      const { cid } = this.#active.get(sequence)!;
      const prior = Math.min(this.#retirePriorTo, sequence);
      const size = 1 + varintSize(sequence) + varintSize(prior) + 1 + cid.length + resetTokenSize;
      if (to + size > end) break;
      into[to] = FrameType.newConnectionId;
      to = putVarint(into, putVarint(into, to + 1, sequence), prior);
      into[to++] = cid.length;
      into.set(cid, to);
      into.set(this.#token(sequence), to + cid.length);
      to += cid.length + resetTokenSize;
      holder.hold(Held.newConnectionId, sequence, 0, 0);
      this.#toSend.shift();
    }
    return to;
  }

  /** A frame was lost: it goes again unless its id is retired. */
  lost(sequence: number): void {
    if (this.#active.has(sequence) && sequence > 0 && !this.#toSend.includes(sequence)) this.#toSend.push(sequence);
  }

  event(): CidEvent | undefined {
    return this.#events.shift();
  }

  /** The connection is over: no id is ours any more. */
  close(): void {
    for (const { cid } of this.#active.values()) this.#events.push({ kind: "retired", cid });
    this.#active.clear();
    this.#toSend = [];
  }

  /** As many that need not be retired as the peer holds. */
  #issue(): void {
    if (this.isZeroLength || !this.#hasStarted) return;
    let usable = 0;
    for (const sequence of this.#active.keys()) if (sequence >= this.#retirePriorTo) usable++;
    while (usable < this.#limit) {
      this.#toSend.push(this.#make());
      usable++;
    }
  }

  #make(): number {
    const { generator, entropy, tokens } = this.#options;
    const cid = new Uint8Array(generator.size);
    generator.generate(cid, entropy.fill(new Uint8Array(generator.size)));
    const drawn = tokens === undefined ? entropy.fill(new Uint8Array(resetTokenSize)) : undefined;
    this.#active.set(this.#next, { cid, drawn });
    this.#events.push({ kind: "issued", cid });
    return this.#next++;
  }

  /** Of one that has been made; a token that follows from its id need not be kept. */
  #token(sequence: number): Uint8Array {
    const { cid, drawn } = this.#active.get(sequence)!;
    return drawn ?? this.#options.tokens!.of(cid);
  }
}
