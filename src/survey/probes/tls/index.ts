import type { InterfaceName } from "../../../contract/index.js";
import { tlsProfile } from "../../../protocols/tls/index.js";
import { askBlank, type ProtocolProbes } from "../../probe.js";
import { name } from "../../stage/handshake.js";
import { on } from "../../stage/stage.js";
import { identityValidation, keyExport, keyUpdate, termination } from "./after.js";
import { algorithms, extensions, identities, preSharedKeys, sessionCache } from "./before.js";
import { shows } from "./shows.js";
import type { Stage } from "./stage.js";

/** The methods by which a session would offer an interface that TLS's row leaves blank. */
const methods: Partial<Record<InterfaceName, readonly string[]>> = {
  KE: ["onKeyExpiring"],
  ME: ["onMoved"],
};

export function tlsProbes(stage: Stage): ProtocolProbes {
  const proof = on(stage);
  return {
    profile: tlsProfile,
    cells: {
      IPK: proof(identities),
      ALG: proof(algorithms),
      EXT: proof(extensions),
      CM: proof(sessionCache),
      PSKI: proof(preSharedKeys),
      IV: proof(identityValidation),
      CT: proof(termination),
      KU: proof(keyUpdate),
      PSKE: proof(keyExport),
    },
    async ask(cell) {
      const options = { serverName: name, verify: stage.authority.verify };
      await using meeting = await stage.meet(options, { identity: await stage.authority.identity(name) });
      return askBlank(tlsProfile, cell, meeting.client.session, methods);
    },
    shows: shows(stage),
  };
}
