import { Deframer, type RecordTaker } from "../../../mechanisms/deframer.js";
import { refuse, type TlsFailure, tlsFailure } from "../failure.js";
import type { Epoch } from "../handshake/vocabulary.js";
import { limits } from "../limits.js";
import { contentType, recordHeaderSize } from "./content-type.js";
import { PlainOpener } from "./plain.js";
import type { RecordOpener } from "./protection.js";

/** Who reads what the records hold, and what must be known of it meanwhile. What it throws ends the reading. */
export interface RecordReader {
  /** Nothing is read any more (RFC 9846 §6.1). */
  isDeaf(): boolean;
  /** A question is open: records wait, for the answer may change their keys. */
  isBlocked(): boolean;
  /** Half a handshake message is there: no other record may come between (RFC 9846 §5.1). */
  isMidMessage(): boolean;
  /** May a change_cipher_spec come now that means nothing (RFC 9846 §5)? */
  allowsChangeCipherSpec(): boolean;
  handshake(epoch: Epoch, bytes: Uint8Array): void;
  /** A view of the input, or of memory that is never used again. */
  data(bytes: Uint8Array, early: boolean): void;
  alert(level: number, code: number): void;
  failed(failure: TlsFailure): void;
}

/**
 * The receiving half of the record protocol: from bytes to what they hold, each record opened where it stands. It knows
 * keys and epochs, and no message.
 */
export class Inbox implements RecordTaker {
  readonly #reader: RecordReader;
  readonly #deframer = new Deframer(recordHeaderSize);
  #opener: RecordOpener = new PlainOpener();
  #epoch: Epoch = "initial";
  /** 1.2: keys that change_cipher_spec will put in place. */
  #pending: RecordOpener | undefined;
  /** Input that came while a question was open. */
  #held: Uint8Array[] = [];
  #heldSize = 0;
  #skipLeft = 0;
  #earlyLeft = 0;
  #emptyRecords = 0;
  #changeCipherSpecs = 0;
  /** Content that a record may have: record_size_limit, max_fragment_length. */
  contentMax: number = limits.recordSizeMax;
  /** Records opened. */
  records = 0;

  constructor(reader: RecordReader) {
    this.#reader = reader;
  }

  /** Is there input that waits for an answer? */
  get isHolding(): boolean {
    return this.#held.length > 0;
  }

  receive(bytes: Uint8Array): void {
    if (this.#reader.isDeaf()) return;
    if (this.#reader.isBlocked() || this.isHolding) {
      this.#hold(bytes.slice());
      return;
    }
    const taken = this.#deframer.push(bytes, this);
    if (taken < bytes.length && this.#reader.isBlocked()) this.#hold(bytes.slice(taken));
  }

  /** Reads on with what was held, as far as no new question opens. */
  release(): void {
    while (this.isHolding && !this.#reader.isBlocked() && !this.#reader.isDeaf()) {
      const bytes = this.#held.shift()!;
      this.#heldSize -= bytes.length;
      const taken = this.#deframer.push(bytes, this);
      if (taken < bytes.length) {
        this.#held.unshift(bytes.subarray(taken));
        this.#heldSize += bytes.length - taken;
      }
    }
    if (this.#reader.isDeaf()) this.#held = [];
  }

  /** From the next record on. */
  keys(opener: RecordOpener, epoch: Epoch): void {
    this.#opener.destroy();
    this.#opener = opener;
    this.#epoch = epoch;
  }

  /** 1.2: from the record behind change_cipher_spec on. */
  keysAfterChange(opener: RecordOpener): void {
    this.#pending = opener;
  }

  /** The peer has proved itself. */
  confirmed(): void {
    this.#deframer.isFrugal = false;
    this.#skipLeft = 0;
  }

  /** Early data are let in, so many bytes of them. */
  allowEarly(max: number): void {
    this.#earlyLeft = max;
  }

  /** Early data were refused: so many bytes of records that cannot be opened are passed over (RFC 9846 §4.3.10). */
  skipEarly(max: number): void {
    this.#skipLeft = max;
  }

  destroy(): void {
    this.#opener.destroy();
    this.#pending?.destroy();
    this.#held = [];
  }

  header(bytes: Uint8Array, at: number): number | undefined {
    const type = bytes[at]!;
    const size = (bytes[at + 3]! << 8) | bytes[at + 4]!;
    if (type < contentType.changeCipherSpec || type > contentType.applicationData || bytes[at + 1] !== 3) {
      this.#reader.failed(tlsFailure("unknown-record-type", "TLSPlaintext", "what the peer sends is not TLS"));
      return undefined;
    }
    if (size > this.#opener.fragmentMax) {
      this.#reader.failed(tlsFailure("record-overflow", "TLSPlaintext", `a record of ${size} bytes`));
      return undefined;
    }
    return size + recordHeaderSize;
  }

  record(bytes: Uint8Array, at: number, size: number): boolean {
    try {
      this.#record(bytes, at, size);
    } catch (error) {
      this.#reader.failed(error as TlsFailure);
    }
    return !this.#reader.isDeaf() && !this.#reader.isBlocked();
  }

  #record(bytes: Uint8Array, at: number, size: number): void {
    const opener = this.#opener;
    const outer = bytes[at]!;
    if (outer === contentType.changeCipherSpec) {
      this.#changeCipherSpec(bytes, at, size);
      return;
    }
    if (opener.hidesType && outer !== contentType.applicationData) {
      // An alert of a peer that never got as far as keys: RFC 9846 §6.2 does not let it go unheard.
      const early = outer === contentType.alert && opener.count === 0 && this.#epoch === "handshake";
      if (!early) refuse("unexpected-record", "TLSCiphertext", `an unprotected record of type ${outer}`);
      this.#alert(bytes, at + recordHeaderSize, size - recordHeaderSize);
      return;
    }
    if (!opener.hidesType && this.#skipLeft > 0 && outer === contentType.applicationData) {
      this.#skip(size);
      return;
    }
    if (!opener.open(bytes, at, size)) {
      if (this.#skipLeft > 0 && opener.count === 0) {
        this.#skip(size);
        return;
      }
      refuse("bad-record", "TLSCiphertext", "a record is not what the peer sealed");
    }
    if (opener.hidesType) this.#skipLeft = 0;
    this.records++;
    const { type, contentAt, contentSize } = opener;
    if (contentSize > this.contentMax) {
      refuse("record-overflow", "TLSPlaintext", `${contentSize} bytes of content, ${this.contentMax} are allowed`);
    }
    this.#content(bytes, type, contentAt, contentSize);
  }

  #content(bytes: Uint8Array, type: number, at: number, size: number): void {
    if (type === contentType.applicationData) this.#data(bytes, at, size);
    else if (type === contentType.handshake) {
      if (size === 0) refuse("unexpected-record", "Handshake", "a handshake record without content (RFC 9846 §5.1)");
      this.#reader.handshake(this.#epoch, bytes.subarray(at, at + size));
    } else if (type === contentType.alert) this.#alert(bytes, at, size);
    else refuse("unexpected-record", "TLSInnerPlaintext", `content of type ${type}`);
  }

  #data(bytes: Uint8Array, at: number, size: number): void {
    const name = "application data";
    const early = this.#epoch === "early";
    if (this.#epoch !== "application" && !early) refuse("unexpected-record", name, "there are no keys for them yet");
    if (this.#reader.isMidMessage()) refuse("unexpected-record", name, betweenPieces);
    if (size === 0) {
      if (++this.#emptyRecords > limits.emptyRecordsMax) {
        refuse("too-many-empty-records", name, "a flood of records without content");
      }
      return;
    }
    this.#emptyRecords = 0;
    if (early) {
      this.#earlyLeft -= size;
      if (this.#earlyLeft < 0) refuse("early-data-too-large", name, "more early data than the ticket allows");
    }
    this.#reader.data(bytes.subarray(at, at + size), early);
  }

  /** Middlebox compatibility drops it (RFC 9846 §5); in 1.2 it puts the new keys in place. */
  #changeCipherSpec(bytes: Uint8Array, at: number, size: number): void {
    const name = "change_cipher_spec";
    if (size !== recordHeaderSize + 1 || bytes[at + recordHeaderSize] !== 1) {
      refuse("unexpected-record", name, "its content is not 1");
    }
    if (this.#reader.isMidMessage()) refuse("unexpected-record", name, betweenPieces);
    const pending = this.#pending;
    if (pending !== undefined) {
      this.#pending = undefined;
      this.keys(pending, "application");
      return;
    }
    if (!this.#reader.allowsChangeCipherSpec() || this.#epoch === "application") {
      refuse("unexpected-record", name, "it does not belong here");
    }
    if (++this.#changeCipherSpecs > limits.changeCipherSpecsMax) refuse("unexpected-record", name, "a flood of them");
  }

  #alert(bytes: Uint8Array, at: number, size: number): void {
    if (size !== 2) refuse("malformed-record", "Alert", "an alert record holds one alert (RFC 9846 §5.1)");
    this.#reader.alert(bytes[at]!, bytes[at + 1]!);
  }

  #skip(size: number): void {
    this.#skipLeft -= size;
    if (this.#skipLeft <= 0) refuse("bad-record", "TLSCiphertext", "more refused early data than can be skipped");
  }

  #hold(bytes: Uint8Array): void {
    this.#heldSize += bytes.length;
    this.#held.push(bytes);
    if (this.#heldSize > limits.recordsWaitingMax) {
      this.#reader.failed(tlsFailure("too-much-unread", "TLSPlaintext", "more came than can wait for an answer"));
    }
  }
}

const betweenPieces = "between two pieces of a handshake message (RFC 9846 §5.1)";
