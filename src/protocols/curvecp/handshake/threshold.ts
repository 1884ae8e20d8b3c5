import {
  type Entropy,
  equalInConstantTime,
  type Instant,
  Secret,
  type SocketAddress,
} from "../../../contract/index.js";
import { TokenBucket } from "../../../mechanisms/token-bucket.js";
import { curvecpFailure, type DropReason } from "../failure.js";
import {
  type Boxes,
  compressedNonce,
  counterAtNonce,
  counterNonce,
  type KeyPair,
  keySize,
  longNonce,
} from "../keys.js";
import { limits } from "../limits.js";
import {
  clientKeyAt,
  cookiePacket,
  cookieSize,
  credentialsSize,
  extensionSize,
  hello,
  initiate,
  magic,
  nameAt,
  nameSize,
  receiverExtensionAt,
  senderExtensionAt,
  vouchAt,
  vouchSize,
} from "../messages/packets.js";
import { decodeServerName, encodeServerName } from "../messages/server-name.js";
import type { CurveCpServerOptions } from "../options.js";
import { MinuteKeys } from "./minute-keys.js";

const nonceSize = 16;

/** A client that has returned its cookie and proved both its keys. */
export interface Entrance {
  /** C, its long-term key. */
  readonly publicKey: Uint8Array;
  /** C', in memory of its own. */
  readonly shortTermKey: Uint8Array;
  readonly serverName: string;
  /** Between C' and S': of all that follows. */
  readonly key: Secret;
  /** The counter of its packet, as it stands there. */
  readonly counter: Uint8Array;
  /** The first message, in memory of its own. */
  readonly message: Uint8Array;
}

/**
 * Where strangers are met: a Hello is answered with a Cookie, which is shorter, and forgotten; an Initiate with that cookie in
 * it becomes a connection. All that a server knows in between is in the cookie.
 */
export class Threshold {
  readonly minuteKeys: MinuteKeys;
  readonly #boxes: Boxes;
  readonly #entropy: Entropy;
  readonly #identity: KeyPair;
  readonly #extension: Uint8Array;
  readonly #names: readonly Uint8Array[] | undefined;
  readonly #drop: (reason: DropReason) => void;
  readonly #answers: { readonly bytes: Uint8Array; readonly to: SocketAddress }[] = [];
  #bucket: TokenBucket | undefined;

  /** Throws `bad-configuration` for names that are none. */
  constructor(
    ground: { readonly boxes: Boxes; readonly entropy: Entropy },
    options: CurveCpServerOptions,
    drop: (reason: DropReason) => void,
  ) {
    this.#boxes = ground.boxes;
    this.#entropy = ground.entropy;
    this.#identity = options.identity;
    this.#extension = options.extension ?? new Uint8Array(extensionSize);
    this.#names = options.serverNames?.map((name) => {
      const encoded = encodeServerName(name);
      if (encoded === undefined) throw curvecpFailure("bad-configuration", "serverNames", `${name} is no DNS name`);
      return encoded;
    });
    this.#drop = drop;
    this.minuteKeys = new MinuteKeys(ground.boxes, ground.entropy);
  }

  /** A packet for one of our own extensions? Gateways go by it, and nothing authenticates it. */
  isForUs(bytes: Uint8Array, at: number): boolean {
    for (let i = 0; i < extensionSize; i++)
      if (bytes[at + receiverExtensionAt + i] !== this.#extension[i]) return false;
    return true;
  }

  hello(bytes: Uint8Array, at: number, from: SocketAddress, now: Instant): void {
    this.#bucket ??= new TokenBucket(limits.hellosPerSecond, limits.helloBurst, now);
    if (this.#answers.length >= limits.cookiesWaitingMax || !this.#bucket.take(now)) {
      this.#drop("too-many-hellos");
      return;
    }
    const clientKey = bytes.slice(at + clientKeyAt, at + clientKeyAt + keySize);
    const key = this.#boxes.key(this.#identity.privateKey, clientKey);
    if (key === undefined) {
      this.#drop("bad-box");
      return;
    }
    const nonce = counterNonce("CurveCP-client-H");
    nonce.set(bytes.subarray(at + hello.counterAt, at + hello.boxAt), counterAtNonce);
    const plain = this.#boxes.open(key, nonce, bytes, at + hello.boxAt, hello.size - hello.boxAt);
    if (plain === undefined) this.#drop("bad-box");
    else this.#answers.push({ bytes: this.#cookie(bytes, at, clientKey, key, now), to: { ...from } });
    key.wipe();
  }

  initiate(bytes: Uint8Array, at: number, end: number, now: Instant): Entrance | undefined {
    const opened = this.minuteKeys.open(bytes, at + initiate.cookieAt, now);
    if (opened === undefined) return this.#refuse("bad-cookie");
    const shortTermKey = bytes.slice(at + clientKeyAt, at + clientKeyAt + keySize);
    const privateKey = new Secret(opened.slice(keySize));
    const isTheirs = equalInConstantTime(opened.subarray(0, keySize), shortTermKey);
    opened.fill(0);
    const key = isTheirs ? this.#boxes.key(privateKey, shortTermKey) : undefined;
    privateKey.wipe();
    if (key === undefined) return this.#refuse("bad-cookie");
    const entrance = this.#enter(bytes, at, end, shortTermKey, key);
    if (entrance === undefined) key.wipe();
    return entrance;
  }

  /** Writes the next Cookie packet; answers where it goes. */
  write(into: Uint8Array): { readonly size: number; readonly to: SocketAddress } | undefined {
    const answer = this.#answers.shift();
    if (answer === undefined) return undefined;
    into.set(answer.bytes);
    return { size: answer.bytes.length, to: answer.to };
  }

  #enter(bytes: Uint8Array, at: number, end: number, shortTermKey: Uint8Array, key: Secret): Entrance | undefined {
    const counter = bytes.slice(at + initiate.counterAt, at + initiate.boxAt);
    const nonce = counterNonce("CurveCP-client-I");
    nonce.set(counter, counterAtNonce);
    const boxAt = at + initiate.boxAt;
    const plain = this.#boxes.open(key, nonce, bytes, boxAt, end - boxAt);
    if (plain === undefined) return this.#refuse("bad-box");
    const name = plain.subarray(nameAt, nameAt + nameSize);
    const serverName = decodeServerName(name);
    if (serverName === undefined || !this.#hasName(name)) return this.#refuse("wrong-server-name");
    const publicKey = plain.slice(0, keySize);
    if (!this.#vouches(plain, publicKey, shortTermKey)) return this.#refuse("bad-vouch");
    return { publicKey, shortTermKey, serverName, key, counter, message: plain.subarray(credentialsSize) };
  }

  /** V is a box of C' from C to S: only who has c can have made it. */
  #vouches(plain: Uint8Array, publicKey: Uint8Array, shortTermKey: Uint8Array): boolean {
    const key = this.#boxes.key(this.#identity.privateKey, publicKey);
    if (key === undefined) return false;
    const nonce = longNonce("CurveCPV", plain.subarray(vouchAt, vouchAt + nonceSize));
    const vouched = this.#boxes.open(key, nonce, plain, vouchAt + nonceSize, vouchSize - nonceSize);
    key.wipe();
    return vouched !== undefined && equalInConstantTime(vouched, shortTermKey);
  }

  #hasName(name: Uint8Array): boolean {
    return this.#names?.some((each) => equalInConstantTime(each, name)) ?? true;
  }

  #cookie(bytes: Uint8Array, at: number, clientKey: Uint8Array, key: Secret, now: Instant): Uint8Array {
    const shortTerm = this.#boxes.newKeyPair(this.#entropy);
    const plain = new Uint8Array(keySize + cookieSize);
    plain.set(shortTerm.publicKey);
    plain.set(this.minuteKeys.seal(clientKey, shortTerm.privateKey, now), keySize);
    shortTerm.privateKey.wipe();
    const compressed = compressedNonce(this.#entropy);
    const packet = new Uint8Array(cookiePacket.size);
    packet.set(magic.cookie);
    packet.set(bytes.subarray(at + senderExtensionAt, at + senderExtensionAt + extensionSize), receiverExtensionAt);
    packet.set(this.#extension, senderExtensionAt);
    packet.set(compressed, cookiePacket.nonceAt);
    packet.set(this.#boxes.seal(key, longNonce("CurveCPK", compressed), plain), cookiePacket.boxAt);
    return packet;
  }

  #refuse(reason: DropReason): undefined {
    this.#drop(reason);
  }
}
