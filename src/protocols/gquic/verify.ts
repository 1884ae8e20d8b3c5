import { addressFamily } from "../../bytes/index.js";
import type { Verifier } from "../../pki/index.js";
import type { VerifyServer } from "./options.js";

/** Trusts what a verifier finds a path for, to the name that was asked for. */
export function trust(verifier: Verifier): VerifyServer {
  return ({ chain, serverName, at }) => {
    const kind = serverName === undefined ? undefined : addressFamily(serverName) === undefined ? "dns" : "ip";
    const referenceIds = kind === undefined ? [] : [{ kind, value: serverName! } as const];
    if (kind === undefined) return { trusted: false, message: "there is no name that the certificate must have" };
    const verdict = verifier.verify({ chain, referenceIds, purpose: "server", at });
    if (!verdict.trusted) return { trusted: false, message: verdict.failure.message, cause: verdict.failure };
    return { trusted: true, peer: { kind: "certificate", chain, publicKey: verdict.publicKey } };
  };
}
