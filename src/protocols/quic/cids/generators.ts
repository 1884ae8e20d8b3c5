import type { CryptoProvider } from "../../../contract/index.js";
import type { ConnectionIdGenerator } from "../options.js";
import { cidSizeMax } from "./limits.js";

/** Ids of nothing but chance. `size` 0 is for clients that speak to one peer by one socket. */
export function plainCids(size: number): ConnectionIdGenerator {
  if (!Number.isInteger(size) || size < 0 || size > cidSizeMax)
    throw new RangeError(`a connection id of ${size} bytes`);
  return { size, generate: (into, random) => void into.set(random.subarray(0, size)) };
}

export interface RoutableCidsOptions {
  /** Which configuration of the load balancer this is, 0 … 6; it stands in the first three bits. */
  readonly rotation: number;
  /** What the load balancer calls this server: 1 … 15 bytes, as long for all servers. */
  readonly serverId: Uint8Array;
  /** Bytes of chance behind it, at least 4. */
  readonly nonceSize: number;
  /**
   * AES-128 key that the load balancer has too. With it, ids of one connection do not show that they belong together;
   * server id and nonce must make 16 bytes. Without it the server id stands there in the clear.
   */
  readonly key?: Uint8Array;
  /** Needed with a key. */
  readonly crypto?: CryptoProvider;
}

/**
 * Ids that a load balancer can route, shaped as QUIC-LB shapes them (draft-ietf-quic-load-balancers): one byte of
 * configuration and length, then server id and nonce, in the clear or as one AES block. Its four-pass cipher for short ids
 * is left out.
 */
export function routableCids(options: RoutableCidsOptions): ConnectionIdGenerator {
  const { rotation, serverId, nonceSize, key, crypto } = options;
  const body = serverId.length + nonceSize;
  if (!(rotation >= 0 && rotation <= 6))
    throw new RangeError("a configuration is 0 … 6; 7 stands for ids that nobody routes");
  if (serverId.length < 1 || nonceSize < 4 || body >= cidSizeMax) {
    throw new RangeError("a server id of at least 1 byte and a nonce of at least 4, together at most 19");
  }
  if (key !== undefined && (crypto === undefined || body !== 16 || key.length !== 16)) {
    throw new RangeError("with a key, server id and nonce are 16 bytes together, and a provider is needed");
  }
  const cipher = key === undefined ? undefined : crypto?.cipher("AES-128-ECB").encryptor(key);
  return {
    size: 1 + body,
    generate: (into, random) => {
      into[0] = (rotation << 5) | body;
      into.set(serverId, 1);
      into.set(random.subarray(0, nonceSize), 1 + serverId.length);
      cipher?.apply(into, 1, body, noIv);
    },
  };
}

const noIv = new Uint8Array(0);
