import type { QuicClientOptions, QuicOutcome } from "../../../protocols/quic/index.js";
import { type Show, type Shown, see } from "../../probe.js";
import { by } from "../../stage/handshake.js";
import { echoed } from "../../stage/stage.js";
import type { Stage } from "./stage.js";

const name = "demo.test";
/** Bytes that go one way and come back. */
const bytesEachWay = 256 * 1024;

/** Handshakes to show, each with data there and back: between our own ends, and with ngtcp2's server. */
export function shows(stage: Stage): readonly Show[] {
  const { ngtcp2 } = stage;
  const client: QuicClientOptions = { serverName: name, verify: stage.authority.verify, alpn: ["demo"] };
  const both = (version: "1" | "2"): Show => ({
    title: version === "1" ? "Sealport → Sealport" : "Sealport → Sealport (v2)",
    async run() {
      const started = stage.host.now();
      const identity = await stage.authority.identity(name);
      await using meeting = await stage.meet({ ...client, versions: [version] }, { identity, alpn: ["demo"] });
      await echoed(meeting, stage.host.entropy.fill(new Uint8Array(bytesEachWay)));
      return shown(meeting.outcome.client, 2 * bytesEachWay, stage.host.now() - started);
    },
  });
  if (ngtcp2 === undefined) return [both("1"), both("2")];
  return [
    both("1"),
    both("2"),
    {
      title: `Sealport → ${ngtcp2.name}`,
      async run({ signal }) {
        await using peer = await ngtcp2.serve([name], ["-q"], signal);
        const started = stage.host.now();
        await using visit = await stage.visit(peer.port, { ...client, alpn: ["h3"] });
        // HTTP/3 begins with the server's control stream and its SETTINGS (RFC 9114 §6.2.1).
        const settings = await visit.client.hears(3);
        see(settings[0] === 0 || settings.includes(0x04), "the first words of HTTP/3");
        return shown(visit.outcome, settings.length, stage.host.now() - started);
      },
    },
  ];
}

function shown(outcome: QuicOutcome, bytes: number, ms: number): Shown {
  return {
    version: `QUIC v${outcome.version}`,
    keyExchange: outcome.group ?? outcome.mode,
    cipher: outcome.suite,
    roundTrips: outcome.roundTrips,
    bytes,
    ms,
    authenticated: `server ${by(outcome.peer)}`,
  };
}
