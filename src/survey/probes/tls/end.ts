import type { Failure } from "../../../contract/index.js";
import type { TlsOutcome, TlsSession, TlsSink } from "../../../protocols/tls/index.js";

/** One end of a TLS session that listens and remembers. */
export class End implements TlsSink {
  /** Set by whoever opens the session, before anything is told. */
  session!: TlsSession;
  /** Did the peer end its direction with a close_notify? */
  closeNotified = false;
  /** Was the handshake confirmed when the first early bytes came? */
  earlyBeforeConfirmed = false;
  readonly keyUpdates: { readonly direction: "read" | "write"; readonly byPeer: boolean }[] = [];
  tickets = 0;
  readonly #heard: Uint8Array[] = [];
  readonly #early: Uint8Array[] = [];
  #over: { readonly failure: Failure | undefined } | undefined;
  #watchers: (() => void)[] = [];

  /** Sends, and resolves when the network has taken all of it. */
  say(words: string | Uint8Array): void {
    this.session.write(typeof words === "string" ? new TextEncoder().encode(words) : words);
  }

  /** Resolves when at least so many bytes have been heard, with all of them, and forgets them. */
  async hears(size: number): Promise<Uint8Array> {
    await this.#until(() => sizeOf(this.#heard) >= size);
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
    await this.#until(() => sizeOf(this.#early) >= size);
    return joined(this.#early.splice(0));
  }

  /** Resolves when the peer has ended its direction. */
  async hearsGoodbye(): Promise<void> {
    await this.#until(() => this.closeNotified);
  }

  async getsTickets(count: number): Promise<void> {
    await this.#until(() => this.tickets >= count);
  }

  async getsKeyUpdates(count: number): Promise<void> {
    await this.#until(() => this.keyUpdates.length >= count);
  }

  /** Resolves when the session is over, with the failure if it ended badly. */
  async isOver(): Promise<Failure | undefined> {
    await this.#until(() => this.#over !== undefined, true);
    return this.#over!.failure;
  }

  bytes(bytes: Uint8Array): void {
    this.#heard.push(bytes.slice());
    this.#tell();
  }

  earlyBytes(bytes: Uint8Array): void {
    if (this.#early.length === 0) this.earlyBeforeConfirmed = this.session.outcome === undefined;
    this.#early.push(bytes.slice());
    this.#tell();
  }

  confirmed(_: TlsOutcome): void {
    this.#tell();
  }

  keyUpdated(direction: "read" | "write", byPeer: boolean): void {
    this.keyUpdates.push({ direction, byPeer });
    this.#tell();
  }

  ticket(): void {
    this.tickets++;
    this.#tell();
  }

  ended(): void {
    this.closeNotified = true;
    this.#tell();
  }

  drained(): void {}

  closed(failure?: Failure): void {
    this.#over = { failure };
    this.#tell();
  }

  #tell(): void {
    for (const watcher of this.#watchers.splice(0)) watcher();
  }

  async #until(seen: () => boolean, despiteEnd = false): Promise<void> {
    while (!seen()) {
      if (this.#over !== undefined && !despiteEnd) {
        throw this.#over.failure ?? new Error("the session was closed before this was seen");
      }
      await new Promise<void>((told) => this.#watchers.push(told));
    }
  }
}

const sizeOf = (parts: readonly Uint8Array[]): number => parts.reduce((size, part) => size + part.length, 0);

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}
