import { concat, parseAddress, Writer } from "../../bytes/index.js";
import { equalInConstantTime, type Instant, type SocketAddress } from "../../contract/index.js";
import { cookieSecretMs } from "./limits.js";
import type { Station } from "./station.js";

const secretSize = 32;
const cookieSize = 33;

/** Proof that a stranger receives at the address that it sends from, without keeping anything of it (RFC 7296 §2.6). */
export class Cookies {
  readonly #station: Station;
  #secrets: { readonly version: number; readonly secret: Uint8Array; readonly bornAt: Instant }[] = [];

  constructor(station: Station) {
    this.#station = station;
  }

  /** The cookie that this first message must bring. */
  make(nonce: Uint8Array, from: SocketAddress, spiInitiator: Uint8Array, now: Instant): Uint8Array {
    const newest = this.#secrets[0];
    if (newest === undefined || now - newest.bornAt >= cookieSecretMs) {
      const version = newest === undefined ? 0 : (newest.version + 1) & 0xff;
      const secret = this.#station.entropy.fill(new Uint8Array(secretSize));
      this.#secrets = [{ version, secret, bornAt: now }, ...this.#secrets.slice(0, 1)];
    }
    return this.#compute(this.#secrets[0]!, nonce, from, spiInitiator);
  }

  isGood(cookie: Uint8Array, nonce: Uint8Array, from: SocketAddress, spiInitiator: Uint8Array, now: Instant): boolean {
    const row = this.#secrets.find(({ version, bornAt }) => version === cookie[0] && now - bornAt < 2 * cookieSecretMs);
    if (row === undefined || cookie.length !== cookieSize) return false;
    return equalInConstantTime(this.#compute(row, nonce, from, spiInitiator), cookie);
  }

  #compute(
    { version, secret }: { readonly version: number; readonly secret: Uint8Array },
    nonce: Uint8Array,
    { address, port }: SocketAddress,
    spiInitiator: Uint8Array,
  ): Uint8Array {
    const mac = this.#station.crypto.hash("SHA-256").hmac(secret);
    const place = new Writer()
      .put(parseAddress(address) ?? new Uint8Array(0))
      .u16(port)
      .take();
    const tag = mac.compute(spiInitiator, place, nonce);
    mac.destroy();
    return concat(Uint8Array.of(version), tag);
  }
}
