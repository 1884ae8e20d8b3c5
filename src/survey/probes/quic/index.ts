import { type InterfaceName, requireInterface } from "../../../contract/index.js";
import { quicProfile } from "../../../protocols/quic/index.js";
import type { Probe, ProtocolProbes } from "../../probe.js";
import { keyExpiration, keyExport, keyUpdate, mobility, termination } from "./after.js";
import { algorithms, alpn, extensions, identities, name, preSharedKeys, sessionCache } from "./before.js";
import { identityValidation, sourceAddressValidation } from "./during.js";
import { shows } from "./shows.js";
import type { Stage } from "./stage.js";

/** The methods by which a session would offer the interface that QUIC's row leaves blank and nothing later fills. */
const methods: Partial<Record<InterfaceName, readonly string[]>> = {
  AD: ["requestAuthentication", "authenticators"],
};

export function quicProbes(stage: Stage): ProtocolProbes {
  const on =
    (proof: (stage: Stage, signal: AbortSignal) => Promise<string>): Probe =>
    ({ signal }) =>
      proof(stage, signal);
  return {
    profile: quicProfile,
    cells: {
      IPK: on(identities),
      ALG: on(algorithms),
      EXT: on(extensions),
      CM: on(sessionCache),
      PSKI: on(preSharedKeys),
      IV: on(identityValidation),
      SAV: on(sourceAddressValidation),
      CT: on(termination),
      KU: on(keyUpdate),
      ME: on(mobility),
      PSKE: on(keyExport),
      KE: on(keyExpiration),
    },
    async ask(cell) {
      const options = { serverName: name, verify: stage.authority.verify, alpn };
      await using meeting = await stage.meet(options, { identity: await stage.authority.identity(name), alpn });
      const offered = methods[cell]?.find((each) => each in meeting.client.session);
      if (offered !== undefined) return offered;
      return requireInterface(quicProfile, cell);
    },
    shows: shows(stage),
  };
}
