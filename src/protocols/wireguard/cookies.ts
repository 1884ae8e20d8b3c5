import { concat, utf8 } from "../../bytes/index.js";
import { type Entropy, equalInConstantTime, type Instant, type Mac, type SocketAddress } from "../../contract/index.js";
import { cookieLatencyMs, cookieLifetimeMs } from "./limits.js";
import { cookieReplyLayout, MessageType, macSize, putU32le } from "./messages/layout.js";
import type { Suite } from "./noise.js";

const labelMac1 = utf8("mac1----");
const labelCookie = utf8("cookie--");
const nonceSize = 24;

/** The two keys that follow from a static public key (§5.4.4, §5.4.7). */
class MacKeys {
  readonly mac1: Mac;
  readonly cookieKey: Uint8Array;

  constructor(suite: Suite, publicKey: Uint8Array) {
    this.mac1 = suite.crypto.blake2s(suite.hash.digest(labelMac1, publicKey), macSize);
    this.cookieKey = suite.hash.digest(labelCookie, publicKey);
  }
}

/** The receiving side: checks MACs under our own public key and gives out cookies (§5.3). */
export class CookieChecker {
  readonly #suite: Suite;
  readonly #keys: MacKeys;
  readonly #entropy: Entropy;
  #secret: Mac | undefined;
  #secretUntil = 0;

  constructor(suite: Suite, ownPublicKey: Uint8Array, entropy: Entropy) {
    this.#suite = suite;
    this.#keys = new MacKeys(suite, ownPublicKey);
    this.#entropy = entropy;
  }

  /** Is mac1 right, that is, does the sender know our public key? Both MACs stand at the end of the message. */
  mac1(message: Uint8Array): boolean {
    const at = message.length - 2 * macSize;
    return equalInConstantTime(this.#keys.mac1.compute(message.subarray(0, at)), message.subarray(at, at + macSize));
  }

  /** Is mac2 right, that is, did the sender receive our cookie at this address? */
  mac2(message: Uint8Array, from: SocketAddress, now: Instant): boolean {
    const at = message.length - macSize;
    const mac = this.#suite.crypto.blake2s(this.#cookie(from, now), macSize);
    const right = equalInConstantTime(mac.compute(message.subarray(0, at)), message.subarray(at));
    mac.destroy();
    return right;
  }

  /** The cookie reply to a refused handshake message. */
  reply(message: Uint8Array, sender: number, from: SocketAddress, now: Instant): Uint8Array {
    const { size, receiver, nonce, cookie } = cookieReplyLayout;
    const reply = new Uint8Array(size);
    reply[0] = MessageType.cookieReply;
    putU32le(reply, receiver, sender);
    this.#entropy.fill(reply.subarray(nonce, nonce + nonceSize));
    reply.set(this.#cookie(from, now), cookie);
    const mac1 = message.subarray(message.length - 2 * macSize, message.length - macSize);
    const sealer = this.#suite.cookieAead.sealer(this.#keys.cookieKey);
    sealer.seal(reply, cookie, macSize, reply.subarray(nonce, nonce + nonceSize), mac1);
    sealer.destroy();
    return reply;
  }

  /** §5.4.7: a MAC over the source's address and port under a secret that changes every two minutes. */
  #cookie(from: SocketAddress, now: Instant): Uint8Array {
    if (this.#secret === undefined || now >= this.#secretUntil) {
      this.#secret?.destroy();
      this.#secret = this.#suite.crypto.blake2s(this.#entropy.fill(new Uint8Array(32)), macSize);
      this.#secretUntil = now + cookieLifetimeMs;
    }
    return this.#secret.compute(utf8(`${from.address} ${from.port}`));
  }
}

/** The sending side: puts MACs on handshake messages to one peer, and keeps its cookie. */
export class CookieKeeper {
  readonly #suite: Suite;
  readonly #keys: MacKeys;
  #cookie: Mac | undefined;
  #cookieUntil = 0;
  /** mac1 of the last message: the only one that a cookie reply may answer. */
  #lastMac1: Uint8Array | undefined;

  constructor(suite: Suite, peerPublicKey: Uint8Array) {
    this.#suite = suite;
    this.#keys = new MacKeys(suite, peerPublicKey);
  }

  /** Fills in mac1, and mac2 if a cookie is held. */
  sign(message: Uint8Array, now: Instant): void {
    const mac2At = message.length - macSize;
    const mac1At = mac2At - macSize;
    const mac1 = this.#keys.mac1.compute(message.subarray(0, mac1At));
    message.set(mac1, mac1At);
    this.#lastMac1 = mac1;
    if (this.#cookie === undefined || now >= this.#cookieUntil) message.fill(0, mac2At);
    else message.set(this.#cookie.compute(message.subarray(0, mac2At)), mac2At);
  }

  /** Takes a cookie reply; false if it is not a true answer to our last message. */
  accept(reply: Uint8Array, now: Instant): boolean {
    const mac1 = this.#lastMac1;
    if (mac1 === undefined) return false;
    const { nonce, cookie } = cookieReplyLayout;
    const sealed = concat(reply.subarray(cookie));
    const opener = this.#suite.cookieAead.opener(this.#keys.cookieKey);
    const good = opener.open(sealed, 0, sealed.length, reply.subarray(nonce, nonce + nonceSize), mac1);
    opener.destroy();
    if (!good) return false;
    this.#lastMac1 = undefined;
    this.#cookie?.destroy();
    this.#cookie = this.#suite.crypto.blake2s(sealed.subarray(0, macSize), macSize);
    this.#cookieUntil = now + cookieLifetimeMs - cookieLatencyMs;
    return true;
  }
}
