import { type InterfaceName, requireInterface } from "../../../contract/index.js";
import { tlsProfile } from "../../../protocols/tls/index.js";
import type { Probe, ProtocolProbes } from "../../probe.js";
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
  const on =
    (proof: (stage: Stage, signal: AbortSignal) => Promise<string>): Probe =>
    ({ signal }) =>
      proof(stage, signal);
  return {
    profile: tlsProfile,
    cells: {
      IPK: on(identities),
      ALG: on(algorithms),
      EXT: on(extensions),
      CM: on(sessionCache),
      PSKI: on(preSharedKeys),
      IV: on(identityValidation),
      CT: on(termination),
      KU: on(keyUpdate),
      PSKE: on(keyExport),
    },
    async ask(cell) {
      const options = { serverName: "survey.test", verify: stage.authority.verify };
      await using meeting = await stage.meet(options, { identity: await stage.authority.identity("survey.test") });
      const offered = methods[cell]?.find((name) => name in meeting.client.session);
      if (offered !== undefined) return offered;
      return requireInterface(tlsProfile, cell);
    },
    shows: shows(stage),
  };
}
