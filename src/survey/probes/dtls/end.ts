import type { SocketAddress } from "../../../contract/index.js";
import type { DtlsSession, DtlsSink } from "../../../protocols/dtls/index.js";
import { Ears } from "../../stage/ears.js";

/** One end of a DTLS session that listens and remembers. What it says is a message each. */
export class End extends Ears implements DtlsSink {
  /** Set by whoever opens the session, before anything is told. */
  session!: DtlsSession;
  readonly moves: { readonly from: SocketAddress; readonly to: SocketAddress }[] = [];

  say(words: string | Uint8Array): void {
    this.session.send(typeof words === "string" ? new TextEncoder().encode(words) : words);
  }

  datagrams(bytes: Uint8Array): void {
    this.hear(bytes);
  }

  earlyDatagram(bytes: Uint8Array): void {
    this.hearEarly(bytes, this.session.outcome !== undefined);
  }

  moved(from: SocketAddress, to: SocketAddress): void {
    this.moves.push({ from, to });
    this.tell();
  }
}
