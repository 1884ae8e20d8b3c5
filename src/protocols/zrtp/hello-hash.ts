import { fromHex, toHex } from "../../bytes/index.js";
import { type CryptoProvider, equalInConstantTime } from "../../contract/index.js";
import { failure } from "./failure.js";
import { implicitHash } from "./hash-chain.js";
import { imageSize } from "./messages/frame.js";
import { version } from "./messages/hello.js";

/** What signalling says of the peer's Hello (RFC 6189 §8.1): the hash of the whole message. */
export interface HelloHash {
  readonly version: string;
  readonly hash: Uint8Array;
}

const attribute = "a=zrtp-hash:";

/** Reads `a=zrtp-hash:1.10 fe30efd0…`, with or without `a=zrtp-hash:`. Throws `bad-hash-attribute`. */
export function parseHelloHash(line: string): HelloHash {
  const value = line.trim().startsWith(attribute) ? line.trim().slice(attribute.length) : line;
  const [, named, digits] = /^\s*([^\s]{1,16})\s+([0-9a-f]+)\s*$/i.exec(value) ?? [];
  if (named === undefined || digits === undefined || digits.length !== 2 * imageSize) {
    throw failure("bad-hash-attribute", `no zrtp-hash: a version and ${2 * imageSize} hexadecimal digits are wanted`, {
      at: "a=zrtp-hash",
    });
  }
  return { version: named, hash: fromHex(digits) };
}

export const formatHelloHash = ({ version: named, hash }: HelloHash): string => `${attribute}${named} ${toHex(hash)}`;

export const hashOfHello = (crypto: CryptoProvider, hello: Uint8Array): HelloHash => ({
  version,
  hash: implicitHash(crypto).digest(hello),
});

export const isHello = (crypto: CryptoProvider, hello: Uint8Array, promised: HelloHash): boolean =>
  equalInConstantTime(implicitHash(crypto).digest(hello), promised.hash);
