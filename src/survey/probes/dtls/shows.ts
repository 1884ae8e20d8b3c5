import type { DtlsOutcome } from "../../../protocols/dtls/index.js";
import { type Show, type Shown, see } from "../../probe.js";
import { by, name } from "../../stage/handshake.js";
import { echoed } from "../../stage/stage.js";
import { clientOf, dtls, serverOf } from "./before.js";
import type { Stage } from "./stage.js";

/** Handshakes to show, each with messages there and back: between our own ends, and with OpenSSL in both roles. */
export function shows(stage: Stage): readonly Show[] {
  const { openssl } = stage;
  const ours = (version: "1.3" | "1.2"): Show => ({
    title: `Sealport → Sealport (${version})`,
    async run() {
      const started = stage.host.now();
      await using meeting = await stage.meet({ ...clientOf(stage), versions: [version] }, await serverOf(stage));
      await echoed(meeting, stage.host.entropy.fill(new Uint8Array(1_000)));
      const { client } = meeting.outcome;
      see(client.version === version, version);
      return shown(client, 2_000, stage.host.now() - started);
    },
  });
  if (openssl === undefined) return [ours("1.3"), ours("1.2")];
  return [
    ours("1.3"),
    ours("1.2"),
    {
      title: `Sealport → ${openssl.name}`,
      async run({ signal }) {
        await using peer = await openssl.serve([name], [dtls], signal);
        const started = stage.host.now();
        await using visit = await stage.visit(peer.port, clientOf(stage));
        visit.client.say("hello from Sealport\n");
        await peer.program.says(/hello from Sealport/);
        peer.program.write("hello from OpenSSL\n");
        await visit.client.hearsText("hello from OpenSSL\n");
        return shown(visit.outcome, 39, stage.host.now() - started);
      },
    },
    {
      title: `${openssl.name} → Sealport`,
      async run({ signal }) {
        await using reception = await stage.receive(await serverOf(stage));
        const started = stage.host.now();
        await using program = await openssl.connect(reception.port, [dtls, "-servername", name], signal);
        const server = await reception.server;
        await program.says(/Verify return code: 0 \(ok\)/);
        program.write("hello from OpenSSL\n");
        await server.hearsText("hello from OpenSSL\n");
        server.say("hello from Sealport\n");
        await program.says(/hello from Sealport/);
        return shown(server.session.outcome!, 39, stage.host.now() - started, "server by certificate");
      },
    },
  ];
}

function shown(outcome: DtlsOutcome, bytes: number, ms: number, authenticated = `server ${by(outcome.peer)}`): Shown {
  return {
    version: `DTLS ${outcome.version}`,
    keyExchange: outcome.group ?? outcome.mode,
    cipher: outcome.suite,
    // 1.2's cookie comes first, and the handshake does not count it.
    roundTrips: outcome.roundTrips + (outcome.version === "1.2" ? 1 : 0),
    bytes,
    ms,
    authenticated,
  };
}
