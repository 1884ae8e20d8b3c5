import { decode, encode } from "../../../bytes/index.js";
import { refuse, tlsFailure } from "../failure.js";
import { limits } from "../limits.js";
import { frame, handshakeType } from "../messages/handshake.js";
import { keyUpdate, updateNotRequested, updateRequested } from "../messages/post-handshake.js";
import type { SessionKeys } from "../session-keys.js";
import type { Context } from "./context.js";

/** KeyUpdate in both directions, RFC 9846 §4.7.3. */
export class KeyUpdates {
  readonly #keys: SessionKeys;
  readonly #ours: "client" | "server";
  /** We asked, and the peer has not updated since. */
  #asked = false;

  constructor(keys: SessionKeys, ours: "client" | "server") {
    this.#keys = keys;
    this.#ours = ours;
  }

  send(cx: Context, requestPeer: boolean): void {
    if (!cx.config.dialect.keyUpdate) {
      throw tlsFailure("misuse", "updateKeys", "this protocol changes its keys without the handshake");
    }
    const ask = requestPeer && !this.#asked;
    if (ask) this.#asked = true;
    this.#update(cx, ask ? updateRequested : updateNotRequested, false);
  }

  receive(body: Uint8Array, cx: Context): void {
    const at = "KeyUpdate";
    if (!cx.config.dialect.keyUpdate) refuse("unexpected-message", at, "this protocol has no KeyUpdate");
    const request = decode(keyUpdate, body);
    if (request > updateRequested) refuse("illegal-parameter", at, `request_update is ${request}`);
    if (++cx.quietMessages > limits.keyUpdatesMax) refuse("too-many-key-updates", at, "a flood of key updates");
    this.#asked = false;
    const secret = this.#keys.update(this.#ours === "client" ? "server" : "client");
    cx.keys("application", "read", { version: "1.3", suite: this.#keys.suite, secret });
    cx.out.push({ kind: "key-updated", direction: "read", byPeer: true });
    if (request === updateRequested) this.#update(cx, updateNotRequested, true);
  }

  /** The message still goes under the old keys. */
  #update(cx: Context, request: number, byPeer: boolean): void {
    cx.put("application", handshakeType.keyUpdate, frame(handshakeType.keyUpdate, encode(keyUpdate, request)));
    const secret = this.#keys.update(this.#ours);
    cx.keys("application", "write", { version: "1.3", suite: this.#keys.suite, secret });
    cx.out.push({ kind: "key-updated", direction: "write", byPeer });
  }
}
