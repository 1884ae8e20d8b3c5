import type { InterfaceName } from "../../../contract/index.js";
import { dtlsProfile } from "../../../protocols/dtls/index.js";
import { askBlank, type ProtocolProbes } from "../../probe.js";
import { on } from "../../stage/stage.js";
import { addressValidation, identityValidation, keyExport, keyUpdate, mobility, termination } from "./after.js";
import { algorithms, clientOf, extensions, identities, preSharedKeys, serverOf, sessionCache } from "./before.js";
import { shows } from "./shows.js";
import type { Stage } from "./stage.js";

/** The methods by which a session would offer an interface that is left blank and that nothing later fills. */
const methods: Partial<Record<InterfaceName, readonly string[]>> = {
  KE: ["onKeyExpiring"],
  AD: ["authenticators", "delegate"],
};

export function dtlsProbes(stage: Stage): ProtocolProbes {
  const proof = on(stage);
  return {
    profile: dtlsProfile,
    cells: {
      IPK: proof(identities),
      ALG: proof(algorithms),
      EXT: proof(extensions),
      CM: proof(sessionCache),
      PSKI: proof(preSharedKeys),
      IV: proof(identityValidation),
      SAV: proof(addressValidation),
      CT: proof(termination),
      KU: proof(keyUpdate),
      PSKE: proof(keyExport),
      ME: proof(mobility),
    },
    async ask(cell) {
      await using meeting = await stage.meet(clientOf(stage), await serverOf(stage));
      return askBlank(dtlsProfile, cell, meeting.client.session, methods);
    },
    shows: shows(stage),
  };
}
