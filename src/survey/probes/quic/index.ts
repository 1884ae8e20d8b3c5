import type { InterfaceName } from "../../../contract/index.js";
import { quicProfile } from "../../../protocols/quic/index.js";
import { askBlank, type ProtocolProbes } from "../../probe.js";
import { name } from "../../stage/handshake.js";
import { on } from "../../stage/stage.js";
import { keyExpiration, keyExport, keyUpdate, mobility, termination } from "./after.js";
import { algorithms, alpn, extensions, identities, preSharedKeys, sessionCache } from "./before.js";
import { identityValidation, sourceAddressValidation } from "./during.js";
import { shows } from "./shows.js";
import type { Stage } from "./stage.js";

/** The methods by which a session would offer the interface that QUIC's row leaves blank and nothing later fills. */
const methods: Partial<Record<InterfaceName, readonly string[]>> = {
  AD: ["requestAuthentication", "authenticators"],
};

export function quicProbes(stage: Stage): ProtocolProbes {
  const proof = on(stage);
  return {
    profile: quicProfile,
    cells: {
      IPK: proof(identities),
      ALG: proof(algorithms),
      EXT: proof(extensions),
      CM: proof(sessionCache),
      PSKI: proof(preSharedKeys),
      IV: proof(identityValidation),
      SAV: proof(sourceAddressValidation),
      CT: proof(termination),
      KU: proof(keyUpdate),
      ME: proof(mobility),
      PSKE: proof(keyExport),
      KE: proof(keyExpiration),
    },
    async ask(cell) {
      const options = { serverName: name, verify: stage.authority.verify, alpn };
      await using meeting = await stage.meet(options, { identity: await stage.authority.identity(name), alpn });
      return askBlank(quicProfile, cell, meeting.client.session, methods);
    },
    shows: shows(stage),
  };
}
