import { Secret } from "../../contract/index.js";
import { type MasterKey, profiles, type SrtpProfileName } from "../srtp/index.js";

/** The exporter's label (RFC 5764 §4.2). */
export const exporterLabel = "EXTRACTOR-dtls_srtp";

/** Bytes that the exporter gives for a profile. */
export const exportedSize = (profile: SrtpProfileName): number =>
  2 * (profiles[profile].keySize + profiles[profile].saltSize);

/** Master keys of both directions, as one side has them. */
export interface DirectionKeys {
  readonly sendKey: MasterKey;
  readonly receiveKey: MasterKey;
}

/**
 * Cuts what the exporter gave, and wipes it (RFC 5764 §4.2):
 *
 * ```
 *   client's key | server's key | client's salt | server's salt
 * ```
 */
export function splitKeys(
  profile: SrtpProfileName,
  exported: Uint8Array,
  role: "client" | "server",
  mki: Uint8Array,
): DirectionKeys {
  const { keySize, saltSize } = profiles[profile];
  const part = (at: number): MasterKey => ({
    key: new Secret(exported.slice(at * keySize, (at + 1) * keySize)),
    salt: exported.slice(2 * keySize + at * saltSize, 2 * keySize + (at + 1) * saltSize),
    ...(mki.length > 0 && { mki }),
  });
  const [client, server] = [part(0), part(1)];
  exported.fill(0);
  return role === "client" ? { sendKey: client, receiveKey: server } : { sendKey: server, receiveKey: client };
}
