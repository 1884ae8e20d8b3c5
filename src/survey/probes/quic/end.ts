import type { Failure, KeyExpiry, SessionStreamSink } from "../../../contract/index.js";
import type { QuicMove, QuicSession, QuicSink, QuicStream } from "../../../protocols/quic/index.js";

/** One end of a QUIC session that listens and remembers. It speaks on one stream, and hears what comes on any. */
export class End implements QuicSink {
  /** Set by whoever opens the session, before anything is told. */
  session!: QuicSession;
  /** Was the handshake confirmed when the first early bytes came? */
  earlyBeforeConfirmed = false;
  readonly keyUpdates: { readonly direction: "read" | "write"; readonly byPeer: boolean }[] = [];
  readonly moves: QuicMove[] = [];
  readonly expiring: KeyExpiry[] = [];
  tickets = 0;
  #speaking: QuicStream | undefined;
  #heard: Uint8Array[] = [];
  #early: Uint8Array[] = [];
  #over: { readonly failure: Failure | undefined } | undefined;
  #watchers: (() => void)[] = [];

  /** Sends; with `early` before the handshake is over. */
  say(words: string | Uint8Array, early = false): void {
    this.#speaking ??= this.session.openStream(this.#reader(false), { early });
    this.#speaking.write(typeof words === "string" ? new TextEncoder().encode(words) : words);
  }

  /** Resolves when at least so many bytes have been heard, with all of them, and forgets them. */
  async hears(size: number): Promise<Uint8Array> {
    await this.until(() => sizeOf(this.#heard) >= size);
    return joined(this.#heard.splice(0));
  }

  /** Resolves when exactly these words are all that was heard. */
  async hearsText(words: string): Promise<void> {
    const wanted = new TextEncoder().encode(words);
    const heard = new TextDecoder().decode(await this.hears(wanted.length));
    if (heard !== words) throw new Error(`heard ${JSON.stringify(heard.slice(0, 80))}, not ${JSON.stringify(words)}`);
  }

  /** The 0-RTT bytes, when there are so many. */
  async hearsEarly(size: number): Promise<Uint8Array> {
    await this.until(() => sizeOf(this.#early) >= size);
    return joined(this.#early.splice(0));
  }

  /** Resolves when the session is over, with the failure if it ended badly. */
  async isOver(): Promise<Failure | undefined> {
    await this.until(() => this.#over !== undefined, true);
    return this.#over!.failure;
  }

  async until(seen: () => boolean, despiteEnd = false): Promise<void> {
    while (!seen()) {
      if (this.#over !== undefined && !despiteEnd) {
        throw this.#over.failure ?? new Error("the session was closed before this was seen");
      }
      await new Promise<void>((told) => this.#watchers.push(told));
    }
  }

  stream(stream: QuicStream): SessionStreamSink {
    if (stream.direction === "bidirectional") this.#speaking ??= stream;
    return this.#reader(stream.early);
  }

  confirmed(): void {
    this.#tell();
  }

  keyUpdated(direction: "read" | "write", byPeer: boolean): void {
    this.keyUpdates.push({ direction, byPeer });
    this.#tell();
  }

  keyExpiring(why: KeyExpiry): void {
    this.expiring.push(why);
    this.#tell();
  }

  moved(move: QuicMove): void {
    this.moves.push(move);
    this.#tell();
  }

  ticket(): void {
    this.tickets++;
    this.#tell();
  }

  closed(failure?: Failure): void {
    this.#over = { failure };
    this.#tell();
  }

  #reader(early: boolean): SessionStreamSink {
    return {
      bytes: (bytes) => {
        const isEarly = early && this.session.outcome === undefined;
        if (early && this.#early.length === 0) this.earlyBeforeConfirmed = isEarly;
        (early ? this.#early : this.#heard).push(bytes.slice());
        this.#tell();
      },
      ended() {},
      drained() {},
      closed() {},
    };
  }

  #tell(): void {
    for (const watcher of this.#watchers.splice(0)) watcher();
  }
}

const sizeOf = (parts: readonly Uint8Array[]): number => parts.reduce((size, part) => size + part.length, 0);

const joined = (parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));
