import type { Entropy, Secret } from "../../../contract/index.js";
import { curvecpFailure } from "../failure.js";
import { type Boxes, compressedNonce, type KeyPair, keySize, longNonce } from "../keys.js";
import { credentialsSize, nameAt, vouchAt } from "../messages/packets.js";
import { encodeServerName } from "../messages/server-name.js";
import type { CurveCpClientOptions } from "../options.js";

/**
 * What a client needs until the server's first Message, and no longer: its short-term secret key, the key to the server's
 * long-term one, the cookie, and what an Initiate packet says of the client (C, vouch, name).
 */
export class Credentials {
  /** C', which goes on to name the connection. */
  readonly shortTermKey: Uint8Array;
  /** Between c' and S: of Hello and Cookie. */
  readonly helloKey: Secret;
  /** C, the vouch and the server's name, as they stand in the box. */
  readonly plain = new Uint8Array(credentialsSize);
  cookie: Uint8Array = new Uint8Array(0);
  readonly #shortTerm: KeyPair;
  readonly #boxes: Boxes;

  /** Throws `bad-configuration` for keys and names that are none. */
  constructor(boxes: Boxes, entropy: Entropy, options: CurveCpClientOptions) {
    const { serverKey, serverName = "" } = options;
    const name = encodeServerName(serverName);
    if (name === undefined) throw curvecpFailure("bad-configuration", "serverName", `${serverName} is no DNS name`);
    this.#boxes = boxes;
    this.#shortTerm = boxes.newKeyPair(entropy);
    this.shortTermKey = this.#shortTerm.publicKey;
    const identity = options.identity ?? boxes.newKeyPair(entropy);
    const helloKey = serverKey.length === keySize ? boxes.key(this.#shortTerm.privateKey, serverKey) : undefined;
    const vouchKey = helloKey && boxes.key(identity.privateKey, serverKey);
    if (helloKey === undefined || vouchKey === undefined) {
      throw curvecpFailure("bad-configuration", "serverKey", "the server's long-term key is no key of X25519");
    }
    this.helloKey = helloKey;
    const nonce = compressedNonce(entropy);
    this.plain.set(identity.publicKey);
    this.plain.set(nonce, vouchAt);
    this.plain.set(boxes.seal(vouchKey, longNonce("CurveCPV", nonce), this.shortTermKey), vouchAt + nonce.length);
    this.plain.set(name, nameAt);
    vouchKey.wipe();
    if (options.identity === undefined) identity.privateKey.wipe();
  }

  /** Takes S' and the cookie; answers the key of all that follows. Undefined if S' is no key. */
  accept(plain: Uint8Array, cookieSize: number): Secret | undefined {
    const key = this.#boxes.key(this.#shortTerm.privateKey, plain.subarray(0, keySize));
    if (key === undefined) return undefined;
    this.cookie = plain.slice(keySize, keySize + cookieSize);
    this.#shortTerm.privateKey.wipe();
    return key;
  }

  wipe(): void {
    this.#shortTerm.privateKey.wipe();
    this.helloKey.wipe();
    this.plain.fill(0);
    this.cookie.fill(0);
  }
}
