import { channel } from "node:diagnostics_channel";
import type { CryptoProvider } from "../../contract/crypto.js";
import { portableCrypto } from "./crypto-portable/index.js";
import { openNativeCrypto } from "./native/crypto.js";

export interface CryptoChoice {
  readonly provider: CryptoProvider;
  /** Why this one, in a sentence for people. */
  readonly reason: string;
}

let chosen: CryptoChoice | undefined;

/**
 * The quickest provider that can be trusted here, decided once a process: `native` if the OpenSSL inside the program
 * can be called, else `portable`. Each algorithm of `native` must give its known answer before it is used; one that does not
 * stays portable. `SEALPORT_NATIVE=off` in the environment turns native off. The choice is published once on the
 * diagnostics channel `sealport:crypto`, and so is every algorithm that stays portable.
 */
export function chooseCrypto(): CryptoChoice {
  if (!chosen) {
    chosen = choose();
    channel("sealport:crypto").publish({ provider: chosen.provider.name, reason: chosen.reason });
  }
  return chosen;
}

function choose(): CryptoChoice {
  if (process.env["SEALPORT_NATIVE"] === "off") {
    return { provider: portableCrypto, reason: "SEALPORT_NATIVE=off" };
  }
  try {
    return { provider: openNativeCrypto(doubted), reason: `OpenSSL ${process.versions.openssl} in place` };
  } catch (error) {
    const why = error instanceof Error ? error.message.split("\n")[0] : String(error);
    return { provider: portableCrypto, reason: `the native path is not to be had: ${why}` };
  }
}

function doubted(algorithm: string): void {
  const reason = `${algorithm} of OpenSSL ${process.versions.openssl} did not give its known answer`;
  channel("sealport:crypto").publish({ provider: "portable", algorithm, reason });
}
