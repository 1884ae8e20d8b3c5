import type { Failure } from "../../../contract/index.js";
import { HeldStream, type StreamHome } from "../../../mechanisms/streams/held-stream.js";
import { quicFailure } from "../failure.js";
import type { QuicSession, QuicStream } from "../session.js";

export type QuicStreamHome = StreamHome<QuicSession>;

/** A stream of QUIC: each direction is given up by itself (RFC 9000 §2.4). */
export class SessionStreamOf extends HeldStream<QuicSession> implements QuicStream {
  abort(): void {
    this.reset(0);
    this.stopSending(0);
  }

  protected gaveUp(code: number): Failure {
    return quicFailure("closed-by-peer", "reset_stream", "the peer gave up sending", { code });
  }
}
