import type { KeyExpiry, SessionStreamSink } from "../../../contract/index.js";
import type { QuicMove, QuicSession, QuicSink, QuicStream } from "../../../protocols/quic/index.js";
import { Ears } from "../../stage/ears.js";

/** One end of a QUIC session that listens and remembers. It speaks on one stream, and hears what comes on any. */
export class End extends Ears implements QuicSink {
  /** Set by whoever opens the session, before anything is told. */
  session!: QuicSession;
  readonly moves: QuicMove[] = [];
  readonly expiring: KeyExpiry[] = [];
  #speaking: QuicStream | undefined;

  /** Sends; with `early` before the handshake is over. */
  say(words: string | Uint8Array, early = false): void {
    this.#speaking ??= this.session.openStream(this.#reader(false), { early });
    this.#speaking.write(typeof words === "string" ? new TextEncoder().encode(words) : words);
  }

  stream(stream: QuicStream): SessionStreamSink {
    if (stream.direction === "bidirectional") this.#speaking ??= stream;
    return this.#reader(stream.early);
  }

  keyExpiring(why: KeyExpiry): void {
    this.expiring.push(why);
    this.tell();
  }

  moved(move: QuicMove): void {
    this.moves.push(move);
    this.tell();
  }

  #reader(early: boolean): SessionStreamSink {
    return {
      bytes: (bytes) => (early ? this.hearEarly(bytes, this.session.outcome !== undefined) : this.hear(bytes)),
      ended() {},
      drained() {},
      closed() {},
    };
  }
}
