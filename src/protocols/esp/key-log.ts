import { toHex } from "../../bytes/index.js";
import { espSuite } from "./algorithms.js";
import type { AssociationPair, EspKeys } from "./association.js";

/**
 * Lines of Wireshark's table of ESP SAs (`esp_sa` in its configuration, `uat:esp_sa` by option), one an association. Addresses
 * are left open, for they change. None for what that table has no name for.
 */
export function keyLogLines({ algorithms, spiIn, spiOut, keysIn, keysOut, peer }: AssociationPair): readonly string[] {
  const { encryption, integrity } = espSuite(algorithms)!;
  if (encryption.wireshark === undefined) return [];
  const family = peer.address.includes(":") ? "IPv6" : "IPv4";
  const line = (spi: number, keys: EspKeys): string =>
    [
      family,
      "*",
      "*",
      `0x${spi.toString(16).padStart(8, "0")}`,
      encryption.wireshark,
      keyText(keys.encryption.expose()),
      integrity?.wireshark ?? "NULL",
      keyText(keys.integrity?.expose()),
    ]
      .map((field) => `"${field}"`)
      .join(",");
  return [line(spiOut, keysOut), line(spiIn, keysIn)];
}

const keyText = (key: Uint8Array | undefined): string =>
  key === undefined || key.length === 0 ? "" : `0x${toHex(key)}`;
