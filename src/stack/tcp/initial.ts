import { concat } from "../../bytes/index.js";
import type { CryptoProvider, Entropy, Instant, Mac } from "../../contract/index.js";
import { putU16, u32 } from "../ip/header.js";
import type { TcpTuple } from "./tuple-map.js";

/** Initial sequence numbers (RFC 6528) and timestamp offsets (RFC 7323 §7.1). */
export class InitialNumbers {
  readonly #sequences: Mac;
  readonly #timestamps: Mac;

  constructor(crypto: CryptoProvider, entropy: Entropy) {
    const key = (): Mac => crypto.blake2s(entropy.fill(new Uint8Array(32)), 8);
    this.#sequences = key();
    this.#timestamps = key();
  }

  /** RFC 6528 §3: a clock of four microseconds and a keyed hash of the four-tuple. */
  sequence(tuple: TcpTuple, now: Instant): number {
    return (Math.floor(now * 250) + u32(this.#sequences.compute(tupleBytes(tuple)), 0)) >>> 0;
  }

  timestampOffset(tuple: TcpTuple): number {
    return u32(this.#timestamps.compute(tupleBytes(tuple)), 0);
  }
}

export function tupleBytes({ local, localPort, remote, remotePort }: TcpTuple): Uint8Array {
  const ports = new Uint8Array(4);
  putU16(ports, 0, localPort);
  putU16(ports, 2, remotePort);
  return concat(local, remote, ports);
}
