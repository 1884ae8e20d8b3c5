import { type TlsFailure, tlsFailure } from "../failure.js";

/** What a client may do after `ech-required`: it stands in the failure's `cause`. */
export interface EchRetry {
  /** ECHConfigList to try again with, once; undefined if the server has given ECH up, as its certificate proves. */
  readonly retryConfigs: Uint8Array | undefined;
}

/** The server proved its public name, but could not read what was encrypted (draft-ietf-tls-esni §6.1.6). */
export function echRequired(retryConfigs: Uint8Array | undefined): TlsFailure {
  const cause: EchRetry = { retryConfigs };
  return tlsFailure("ech-required", "encrypted_client_hello", "the server could not read the encrypted ClientHello", {
    hint: retryConfigs ? "connect again with the configurations in `cause.retryConfigs`" : "connect again without ECH",
    cause,
  });
}
