import type { Instant, Opener, Sealer } from "../../contract/index.js";
import { ReplayWindow } from "../../mechanisms/replay-window.js";
import { rejectAfterMessages, rejectAfterMs, rekeyAfterMessages, rekeyAfterMs, replayWindowSize } from "./limits.js";
import { MessageType, putU32le, putU64le, tagSize, transportLayout, u64le } from "./messages/layout.js";
import type { Suite, TransportKeys } from "./noise.js";

const nothing = new Uint8Array(0);

/** Keys of both directions, with what counts against them (§5.4.5, §6.1). */
export class Session {
  readonly localIndex: number;
  readonly remoteIndex: number;
  /** Did we send the initiation? Only then do we renew the keys by time. */
  readonly initiator: boolean;
  readonly bornAt: Instant;
  readonly #sealer: Sealer;
  readonly #opener: Opener;
  readonly #window = new ReplayWindow(replayWindowSize);
  readonly #nonce = new Uint8Array(12);
  #sent = 0;
  #ended = false;

  constructor(
    suite: Suite,
    keys: TransportKeys,
    localIndex: number,
    remoteIndex: number,
    initiator: boolean,
    now: Instant,
  ) {
    this.#sealer = suite.aead.sealer(keys.send.expose());
    this.#opener = suite.aead.opener(keys.receive.expose());
    keys.send.wipe();
    keys.receive.wipe();
    this.localIndex = localIndex;
    this.remoteIndex = remoteIndex;
    this.initiator = initiator;
    this.bornAt = now;
  }

  /** May these keys still send? */
  usable(now: Instant): boolean {
    return !this.#ended && this.#sent < rejectAfterMessages && now - this.bornAt < rejectAfterMs;
  }

  /** Is it time for new ones, after sending? */
  stale(now: Instant): boolean {
    return this.#sent >= rekeyAfterMessages || (this.initiator && now - this.bornAt >= rekeyAfterMs);
  }

  /** Messages sealed so far. */
  get sent(): number {
    return this.#sent;
  }

  /**
   * Makes the transport message around a packet that already lies at `at + 16` in `into`, padded to `size` bytes.
   * Answers the message's bytes.
   */
  seal(into: Uint8Array, at: number, size: number): number {
    const { receiver, counter, packet } = transportLayout;
    const count = this.#sent++;
    into[at] = MessageType.transport;
    into[at + 1] = into[at + 2] = into[at + 3] = 0;
    putU32le(into, at + receiver, this.remoteIndex);
    putU64le(into, at + counter, count);
    putU64le(this.#nonce, 4, count);
    this.#sealer.seal(into, at + packet, size, this.#nonce, nothing);
    return packet + size + tagSize;
  }

  /**
   * Opens a transport message in place; the packet lies at `at + 16`. Answers its size with padding, or why not. The
   * window is moved only by what is authentic.
   */
  open(bytes: Uint8Array, at: number, size: number, now: Instant): number | "expired-keys" | "replayed" | "bad-tag" {
    const counter = u64le(bytes, at + transportLayout.counter);
    if (this.#ended || now - this.bornAt >= rejectAfterMs || counter >= rejectAfterMessages) return "expired-keys";
    if (!this.#window.mayAccept(counter)) return "replayed";
    putU64le(this.#nonce, 4, counter);
    const sealed = size - transportLayout.packet;
    if (!this.#opener.open(bytes, at + transportLayout.packet, sealed, this.#nonce, nothing)) return "bad-tag";
    this.#window.accept(counter);
    return sealed - tagSize;
  }

  /** Wipes the keys. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#sealer.destroy();
    this.#opener.destroy();
  }
}
