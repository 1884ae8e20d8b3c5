import type { DropReason } from "../failure.js";
import type { ConnectionIds } from "../handshake/connection-ids.js";
import { limits } from "../limits.js";
import { contentType, plainHeaderSize, readSequence, readU16 } from "../record/content-type.js";
import type { Epochs } from "../record/epochs.js";
import type { Opened, RecordOpener } from "../record/protection.js";
import { UnifiedHeader, unifiedMark, unifiedMask } from "../record/unified.js";

/** What a record held, for whoever understands it. */
export interface InboundHandlers {
  content(type: number, bytes: Uint8Array, at: number, size: number, epoch: number, sequence: number): void;
  /** An authentic record with a connection ID, the newest so far: the peer is where it came from, if it can be reached there. */
  named(): void;
  drop(reason: DropReason): void;
  /** More records did not open than these keys may bear. */
  wornOut(): void;
}

/** Takes datagrams apart into records and opens those (RFC 6347 §4.1, RFC 9147 §4). What is not right is dropped, alone. */
export class Inbound {
  readonly #epochs: Epochs;
  readonly #ids: ConnectionIds;
  readonly #handlers: InboundHandlers;
  /** Records whose keys are not there yet. */
  #held: Uint8Array[] = [];
  #heldSize = 0;

  constructor(epochs: Epochs, ids: ConnectionIds, handlers: InboundHandlers) {
    this.#epochs = epochs;
    this.#ids = ids;
    this.#handlers = handlers;
  }

  receive(bytes: Uint8Array, at: number, end: number): void {
    let next = at;
    while (next < end) {
      const first = bytes[next]!;
      const behind =
        (first & unifiedMask) === unifiedMark ? this.#ciphertext(bytes, next, end) : this.#plain(bytes, next, end);
      if (behind === undefined) {
        this.#handlers.drop("malformed-record");
        return;
      }
      next = behind;
    }
  }

  get isHolding(): boolean {
    return this.#held.length > 0;
  }

  /** New keys are there: what waited for them is tried again. */
  release(): void {
    const held = this.#held;
    this.#held = [];
    this.#heldSize = 0;
    for (const record of held) this.receive(record, 0, record.length);
  }

  clear(): void {
    this.#held = [];
    this.#heldSize = 0;
  }

  /** A record with the header that 1.2 has always, and 1.3 before there are keys. Answers where it ends. */
  #plain(bytes: Uint8Array, at: number, end: number): number | undefined {
    const type = bytes[at]!;
    const isNamed = type === contentType.tls12Cid;
    const idSize = isNamed ? (this.#ids.ours[0]?.length ?? 0) : 0;
    const content = at + plainHeaderSize + idSize;
    if (content > end || bytes[at + 1] !== 0xfe) return undefined;
    const behind = content + readU16(bytes, content - 2);
    if (behind > end) return undefined;
    const epoch = readU16(bytes, at + 3);
    if (epoch === 0 && !isNamed) {
      this.#handlers.content(type, bytes, content, behind - content, 0, readSequence(bytes, at + 5));
      return behind;
    }
    if (isNamed && !this.#ids.isOurs(bytes, at + 11, idSize)) {
      this.#handlers.drop("unknown-connection-id");
      return behind;
    }
    const opener = this.#epochs.opener12();
    if (opener === undefined) this.#hold(bytes, at, behind);
    else if (epoch !== opener.epoch) this.#handlers.drop("stale-epoch");
    else if (opener.isNamed !== isNamed) this.#handlers.drop("unexpected-record");
    else this.#judge(opener.open(bytes, at, behind - at), opener, bytes, isNamed);
    return behind;
  }

  /** A record of 1.3 under its unified header. */
  #ciphertext(bytes: Uint8Array, at: number, end: number): number | undefined {
    const idSize = this.#ids.ours[0]?.length ?? 0;
    if (!head.read(bytes, at, end, idSize)) return undefined;
    const { end: behind, hasId } = head;
    if (hasId !== idSize > 0) this.#handlers.drop("unexpected-record");
    else if (hasId && !this.#ids.isOurs(bytes, head.idAt, idSize)) this.#handlers.drop("unknown-connection-id");
    else {
      const opener = this.#epochs.opener13(head.epochBits);
      if (opener === undefined) this.#hold(bytes, at, behind);
      else this.#judge(opener.open(bytes, at, head), opener, bytes, hasId);
    }
    return behind;
  }

  #judge(opened: Opened, opener: RecordOpener, bytes: Uint8Array, isNamed: boolean): void {
    if (opened !== "opened") {
      this.#handlers.drop(opened);
      if (opener.forged >= opener.forgedMax) this.#handlers.wornOut();
      return;
    }
    const { epoch, sequence, type, contentAt, contentSize } = opener;
    if (isNamed && sequence === opener.window.greatest && epoch === this.#epochs.newestRead) this.#handlers.named();
    this.#handlers.content(type, bytes, contentAt, contentSize, epoch, sequence);
  }

  #hold(bytes: Uint8Array, at: number, end: number): void {
    const size = end - at;
    if (this.#held.length >= limits.recordsHeldMax || this.#heldSize + size > limits.recordBytesHeldMax) {
      this.#handlers.drop("no-keys");
      return;
    }
    this.#held.push(bytes.slice(at, end));
    this.#heldSize += size;
  }
}

/** Read anew for every record, and by nobody else. */
const head = new UnifiedHeader();
