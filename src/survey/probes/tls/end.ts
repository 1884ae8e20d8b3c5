import type { TlsSession, TlsSink } from "../../../protocols/tls/index.js";
import { Ears } from "../../stage/ears.js";

/** One end of a TLS session that listens and remembers. */
export class End extends Ears implements TlsSink {
  /** Set by whoever opens the session, before anything is told. */
  session!: TlsSession;
  /** Did the peer end its direction with a close_notify? */
  closeNotified = false;

  say(words: string | Uint8Array): void {
    this.session.write(typeof words === "string" ? new TextEncoder().encode(words) : words);
  }

  /** Resolves when the peer has ended its direction. */
  async hearsGoodbye(): Promise<void> {
    await this.until(() => this.closeNotified);
  }

  bytes(bytes: Uint8Array): void {
    this.hear(bytes);
  }

  earlyBytes(bytes: Uint8Array): void {
    this.hearEarly(bytes, this.session.outcome !== undefined);
  }

  ended(): void {
    this.closeNotified = true;
    this.tell();
  }

  drained(): void {}
}
