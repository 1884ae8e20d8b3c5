import type { SocketAddress } from "../../contract/index.js";
import { outgoingMessagesMax } from "./limits.js";

/** One of them. */
export interface Outgoing {
  readonly bytes: Uint8Array;
  readonly to: SocketAddress;
}

/** Handshake messages and cookies on their way out. While the port takes none they wait here, and only so many do. */
export class OutgoingMessages {
  readonly #messages: Outgoing[] = [];

  get isFull(): boolean {
    return this.#messages.length >= outgoingMessagesMax;
  }

  /** False if there is no room. Both are kept, the address as a copy: it may be lent. */
  push(bytes: Uint8Array, to: SocketAddress): boolean {
    return !this.isFull && this.#messages.push({ bytes, to: { ...to } }) > 0;
  }

  shift(): Outgoing | undefined {
    return this.#messages.shift();
  }

  clear(): void {
    this.#messages.length = 0;
  }
}
