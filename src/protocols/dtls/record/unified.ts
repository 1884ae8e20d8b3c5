/*
 *   0 1 2 3 4 5 6 7
 *  +-+-+-+-+-+-+-+-+
 *  |0|0|1|C|S|L|E E|    connection ID here? · sequence number of 16 bits? · length here? · low bits of the epoch
 *  +-+-+-+-+-+-+-+-+
 *  | connection ID, sequence number, length, encrypted record
 */
export const unifiedMark = 0x20;
export const unifiedMask = 0xe0;
const idFlag = 0x10;
const wideFlag = 0x08;
const lengthFlag = 0x04;

/** The header of DTLSCiphertext (RFC 9147 §4), read where it stands. One object serves for record after record. */
export class UnifiedHeader {
  hasId = false;
  /** Two low bits. */
  epochBits = 0;
  idAt = 0;
  sequenceAt = 0;
  sequenceSize: 1 | 2 = 1;
  /** The encrypted record. */
  contentAt = 0;
  contentSize = 0;
  /** Where the next record of the datagram begins. */
  end = 0;

  /** False if it does not stand before `end`. `idSize` is that of our connection IDs. */
  read(bytes: Uint8Array, at: number, end: number, idSize: number): boolean {
    if (at >= end) return false;
    const flags = bytes[at]!;
    this.hasId = (flags & idFlag) !== 0;
    this.epochBits = flags & 3;
    this.idAt = at + 1;
    this.sequenceAt = this.idAt + (this.hasId ? idSize : 0);
    this.sequenceSize = (flags & wideFlag) !== 0 ? 2 : 1;
    let next = this.sequenceAt + this.sequenceSize;
    if ((flags & lengthFlag) === 0) {
      this.contentAt = next;
      this.end = end;
    } else {
      if (next + 2 > end) return false;
      this.contentAt = next + 2;
      next = this.contentAt + ((bytes[next]! << 8) | bytes[next + 1]!);
      this.end = next;
    }
    this.contentSize = this.end - this.contentAt;
    return this.end <= end && this.contentSize > 0;
  }
}

/** Our own records always have 16 bits of number and their length, so any of them may share a datagram. */
export const unifiedFlags = (epoch: number, hasId: boolean): number =>
  unifiedMark | wideFlag | lengthFlag | (epoch & 3) | (hasId ? idFlag : 0);
