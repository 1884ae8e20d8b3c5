import { type InterfaceName, requireInterface } from "../../../contract/index.js";
import { dtlsProfile } from "../../../protocols/dtls/index.js";
import { type Probe, type ProtocolProbes, type Show, see } from "../../probe.js";
import { addressValidation, identityValidation, keyExport, keyUpdate, mobility, termination } from "./after.js";
import { algorithms, clientOf, extensions, identities, preSharedKeys, serverOf, sessionCache } from "./before.js";
import { type Stage, within } from "./stage.js";

/** The methods by which a session would offer an interface that is left blank and that nothing later fills. */
const methods: Partial<Record<InterfaceName, readonly string[]>> = {
  KE: ["onKeyExpiring"],
  AD: ["authenticators", "delegate"],
};

export function dtlsProbes(stage: Stage): ProtocolProbes {
  const on =
    (proof: (stage: Stage) => Promise<string>): Probe =>
    ({ signal }) =>
      proof(within(stage, signal));
  return {
    profile: dtlsProfile,
    cells: {
      IPK: on(identities),
      ALG: on(algorithms),
      EXT: on(extensions),
      CM: on(sessionCache),
      PSKI: on(preSharedKeys),
      IV: on(identityValidation),
      SAV: on(addressValidation),
      CT: on(termination),
      KU: on(keyUpdate),
      PSKE: on(keyExport),
      ME: on(mobility),
    },
    async ask(cell) {
      await using meeting = await stage.meet(clientOf(stage), await serverOf(stage));
      const offered = methods[cell]?.find((name) => name in meeting.client.session);
      if (offered !== undefined) return offered;
      return requireInterface(dtlsProfile, cell);
    },
    shows: (["1.3", "1.2"] as const).map((version) => show(stage, version)),
  };
}

/** Messages there and back. */
const show = (stage: Stage, version: "1.3" | "1.2"): Show => ({
  title: `Sealport → Sealport (${version})`,
  async run() {
    const started = stage.host.now();
    await using meeting = await stage.meet({ ...clientOf(stage), versions: [version] }, await serverOf(stage));
    const words = "x".repeat(1_000);
    meeting.client.say(words);
    await meeting.server.hears(words);
    meeting.server.say(words);
    await meeting.client.hears(words);
    const { outcome } = meeting;
    see(outcome.client.version === version, version);
    return {
      version: `DTLS ${version}`,
      keyExchange: outcome.client.group ?? outcome.client.mode,
      cipher: outcome.client.suite,
      // The cookie's round trip comes first.
      roundTrips: outcome.client.roundTrips + (version === "1.2" ? 1 : 0),
      bytes: 2 * words.length,
      ms: stage.host.now() - started,
      authenticated: "server by certificate",
    };
  },
});
