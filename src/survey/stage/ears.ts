import type { Failure } from "../../contract/index.js";

/**
 * One end of a session that listens and remembers what it was told, so that a proof can await it. A protocol's end adds its
 * session and its own ways to speak and to hear.
 */
export abstract class Ears {
  /** Was the handshake unconfirmed when the first early bytes came? */
  earlyBeforeConfirmed = false;
  readonly keyUpdates: { readonly direction: "read" | "write"; readonly byPeer: boolean }[] = [];
  tickets = 0;
  #heard: Uint8Array[] = [];
  #early: Uint8Array[] = [];
  #over: { readonly failure: Failure | undefined } | undefined;
  #watchers: (() => void)[] = [];

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

  async getsTickets(count: number): Promise<void> {
    await this.until(() => this.tickets >= count);
  }

  async getsKeyUpdates(count: number): Promise<void> {
    await this.until(() => this.keyUpdates.length >= count);
  }

  /** Resolves when the session is over, with the failure if it ended badly. */
  async isOver(): Promise<Failure | undefined> {
    await this.until(() => this.#over !== undefined, true);
    return this.#over!.failure;
  }

  /** Resolves when this is so. Rejects when the session is over and it is not, unless `despiteEnd`. */
  async until(seen: () => boolean, despiteEnd = false): Promise<void> {
    while (!seen()) {
      if (this.#over !== undefined && !despiteEnd) {
        throw this.#over.failure ?? new Error("the session was closed before this was seen");
      }
      await new Promise<void>((told) => this.#watchers.push(told));
    }
  }

  confirmed(_: unknown): void {
    this.tell();
  }

  keyUpdated(direction: "read" | "write", byPeer: boolean): void {
    this.keyUpdates.push({ direction, byPeer });
    this.tell();
  }

  ticket(): void {
    this.tickets++;
    this.tell();
  }

  closed(failure?: Failure): void {
    this.#over = { failure };
    this.tell();
  }

  /** Notes what was said, which is the caller's memory. */
  protected hear(bytes: Uint8Array): void {
    this.#heard.push(bytes.slice());
    this.tell();
  }

  /** Notes what came as 0-RTT data. */
  protected hearEarly(bytes: Uint8Array, isConfirmed: boolean): void {
    if (this.#early.length === 0) this.earlyBeforeConfirmed = !isConfirmed;
    this.#early.push(bytes.slice());
    this.tell();
  }

  /** Something has changed that somebody may be waiting for. */
  protected tell(): void {
    for (const watcher of this.#watchers.splice(0)) watcher();
  }
}

const sizeOf = (parts: readonly Uint8Array[]): number => parts.reduce((size, part) => size + part.length, 0);

const joined = (parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));
