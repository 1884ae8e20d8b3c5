import type { Failure } from "../../../contract/index.js";
import { HeldStream, type StreamHome } from "../../../mechanisms/streams/held-stream.js";
import { gquicFailure } from "../failure.js";
import type { GquicSession, GquicStream } from "../session.js";
import { rstCodes } from "../streams/stream.js";

export type GquicStreamHome = StreamHome<GquicSession>;

/** A stream of Google QUIC: RST_STREAM ends both directions, for the peer gives up its own, too. */
export class SessionStreamOf extends HeldStream<GquicSession> implements GquicStream {
  abort(): void {
    this.reset(rstCodes.cancelled);
  }

  protected gaveUp(code: number): Failure {
    return gquicFailure("closed-by-peer", "RST_STREAM", "the peer gave the stream up", { code, byPeer: true });
  }
}
