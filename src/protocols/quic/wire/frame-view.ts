import { varintAt, varintSpan } from "../../../bytes/index.js";
import { FrameType } from "./frame-types.js";

/** Acknowledged ranges that are read of one ACK frame; what is behind them, lower and older, is passed over. */
export const ackRangesMax = 256;
/** Ranges that there is room for at first: most acknowledgements have one. */
const ackRangesFirst = 8;

/**
 * A view of one frame after the other (RFC 9000 §19). Its fields are those of the frame that was read last, and no others
 * mean anything; nothing is made and nothing copied.
 */
export class FrameView {
  type = 0;
  /** Where the next frame begins. */
  next = 0;
  /** Stream ID, or the sequence number of a connection id. */
  id = 0;
  offset = 0;
  /** Maximum data or streams, limit at which a peer is blocked. */
  maximum = 0;
  /** Error code of the application or the transport. */
  code = 0;
  finalSize = 0;
  fin = false;
  retirePriorTo = 0;
  /** Type of the frame that an error is about. */
  about = 0;
  /** Bytes in the frame: data, token, connection id, path data, reason. */
  dataAt = 0;
  dataSize = 0;
  /** Stateless reset token of NEW_CONNECTION_ID: 16 bytes. */
  tokenAt = 0;
  ackDelay = 0;
  /** ACK ranges, highest first: `bounds[2i]` … `bounds[2i+1]`, both inclusive. */
  bounds: Float64Array = new Float64Array(2 * ackRangesFirst);
  rangeCount = 0;
  ect0 = 0;
  ect1 = 0;
  ce = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  #end = 0;
  #bad = false;

  /** Reads the frame at `at`. False: its bytes do not parse, FRAME_ENCODING_ERROR. The type is read even then. */
  read(bytes: Uint8Array, at: number, end: number): boolean {
    this.#bytes = bytes;
    this.#end = end;
    this.#bad = false;
    this.next = at;
    const type = this.#varint();
    this.type = type;
    // §12.4: a frame type stands in its shortest form.
    if (type < 0x40 && this.next - at !== 1) return false;
    if (type >= FrameType.stream && type < FrameType.maxData) this.#stream(type);
    else this.#other(type);
    return !this.#bad;
  }

  #other(type: number): void {
    switch (type) {
      case FrameType.padding:
        while (this.next < this.#end && this.#bytes[this.next] === 0) this.next++;
        break;
      case FrameType.ping:
      case FrameType.handshakeDone:
        break;
      case FrameType.ack:
      case FrameType.ackEcn:
        this.#ack(type === FrameType.ackEcn);
        break;
      case FrameType.resetStream:
        this.id = this.#varint();
        this.code = this.#varint();
        this.finalSize = this.#varint();
        break;
      case FrameType.stopSending:
        this.id = this.#varint();
        this.code = this.#varint();
        break;
      case FrameType.crypto:
        this.offset = this.#varint();
        this.#data(this.#varint());
        break;
      case FrameType.newToken:
        this.#data(this.#varint());
        // §19.7
        if (this.dataSize === 0) this.#bad = true;
        break;
      case FrameType.maxData:
      case FrameType.maxStreamsBidi:
      case FrameType.maxStreamsUni:
      case FrameType.dataBlocked:
      case FrameType.streamsBlockedBidi:
      case FrameType.streamsBlockedUni:
        this.maximum = this.#varint();
        break;
      case FrameType.maxStreamData:
      case FrameType.streamDataBlocked:
        this.id = this.#varint();
        this.maximum = this.#varint();
        break;
      case FrameType.newConnectionId:
        this.#newConnectionId();
        break;
      case FrameType.retireConnectionId:
        this.id = this.#varint();
        break;
      case FrameType.pathChallenge:
      case FrameType.pathResponse:
        this.#data(8);
        break;
      case FrameType.connectionClose:
        this.code = this.#varint();
        this.about = this.#varint();
        this.#data(this.#varint());
        break;
      case FrameType.applicationClose:
        this.code = this.#varint();
        this.about = 0;
        this.#data(this.#varint());
        break;
      case FrameType.datagram:
        this.#data(this.#end - this.next);
        break;
      case FrameType.datagramWithLength:
        this.#data(this.#varint());
        break;
      default:
        // §12.4: of an unknown frame not even the length is known.
        this.#bad = true;
    }
  }

  /** §19.8 */
  #stream(type: number): void {
    this.id = this.#varint();
    this.offset = (type & 4) === 0 ? 0 : this.#varint();
    this.#data((type & 2) === 0 ? this.#end - this.next : this.#varint());
    this.fin = (type & 1) !== 0;
  }

  /** §19.3 */
  #ack(withEcn: boolean): void {
    let largest = this.#varint();
    this.ackDelay = this.#varint();
    const count = this.#varint();
    const first = this.#varint();
    let smallest = largest - first;
    this.rangeCount = 0;
    if (!(smallest >= 0)) this.#bad = true;
    this.#range(smallest, largest);
    for (let i = 0; i < count && !this.#bad; i++) {
      largest = smallest - this.#varint() - 2;
      smallest = largest - this.#varint();
      if (!(smallest >= 0)) this.#bad = true;
      this.#range(smallest, largest);
    }
    this.ect0 = withEcn ? this.#varint() : 0;
    this.ect1 = withEcn ? this.#varint() : 0;
    this.ce = withEcn ? this.#varint() : 0;
  }

  #range(smallest: number, largest: number): void {
    if (this.rangeCount === ackRangesMax) return;
    if (2 * this.rangeCount === this.bounds.length) {
      const grown = new Float64Array(2 * this.bounds.length);
      grown.set(this.bounds);
      this.bounds = grown;
    }
    this.bounds[2 * this.rangeCount] = smallest;
    this.bounds[2 * this.rangeCount + 1] = largest;
    this.rangeCount++;
  }

  /** §19.15: an id of 1 … 20 bytes, and Retire Prior To no greater than the sequence number. */
  #newConnectionId(): void {
    this.id = this.#varint();
    this.retirePriorTo = this.#varint();
    if (this.retirePriorTo > this.id || this.next >= this.#end) {
      this.#bad = true;
      return;
    }
    const size = this.#bytes[this.next++]!;
    if (size < 1 || size > 20) this.#bad = true;
    this.#data(size);
    const { dataAt, dataSize } = this;
    this.#data(16);
    this.tokenAt = this.dataAt;
    this.dataAt = dataAt;
    this.dataSize = dataSize;
  }

  #varint(): number {
    const value = varintAt(this.#bytes, this.next, this.#end);
    if (Number.isNaN(value)) {
      this.#bad = true;
      this.next = this.#end;
      return 0;
    }
    this.next += varintSpan(this.#bytes[this.next]!);
    return value;
  }

  #data(size: number): void {
    if (!(size <= this.#end - this.next)) {
      this.#bad = true;
      return;
    }
    this.dataAt = this.next;
    this.dataSize = size;
    this.next += size;
  }
}
