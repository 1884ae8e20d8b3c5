import type { TlsClientOptions, TlsOutcome } from "../../../protocols/tls/index.js";
import { type Show, type Shown, see } from "../../probe.js";
import { by } from "../../stage/handshake.js";
import { echoed } from "../../stage/stage.js";
import type { Stage } from "./stage.js";

const name = "demo.test";
/** Bytes that go one way and come back. */
const bytesEachWay = 256 * 1024;

/** Handshakes to show, each with data there and back: between our own ends, and with OpenSSL in both roles. */
export function shows(stage: Stage): readonly Show[] {
  const { openssl } = stage;
  const client: TlsClientOptions = { serverName: name, verify: stage.authority.verify };
  const ours = (version: "1.3" | "1.2"): Show => ({
    title: version === "1.3" ? "Sealport → Sealport" : "Sealport → Sealport (1.2)",
    async run() {
      const started = stage.host.now();
      const identity = await stage.authority.identity(name);
      await using meeting = await stage.meet({ ...client, versions: [version] }, { identity });
      await echoed(meeting, stage.host.entropy.fill(new Uint8Array(bytesEachWay)));
      return shown(meeting.outcome.client, 2 * bytesEachWay, stage.host.now() - started);
    },
  });
  if (openssl === undefined) return [ours("1.3"), ours("1.2")];
  return [
    ours("1.3"),
    ours("1.2"),
    {
      title: `Sealport → ${openssl.name}`,
      async run({ signal }) {
        await using peer = await openssl.serve([name], ["-rev"], signal);
        const started = stage.host.now();
        await using visit = await stage.visit(peer.port, client);
        const line = "0123456789abcdef".repeat(64);
        visit.client.say(`${line}\n`);
        const heard = new TextDecoder().decode(await visit.client.hears(line.length + 1));
        see(heard === `${[...line].reverse().join("")}\n`, "the line, reversed by OpenSSL");
        return shown(visit.outcome, 2 * heard.length, stage.host.now() - started);
      },
    },
    {
      title: `${openssl.name} → Sealport`,
      async run({ signal }) {
        await using reception = await stage.receive({ identity: await stage.authority.identity(name) });
        const started = stage.host.now();
        await using program = await openssl.connect(reception.port, ["-servername", name], signal);
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

function shown(outcome: TlsOutcome, bytes: number, ms: number, authenticated = `server ${by(outcome.peer)}`): Shown {
  return {
    version: `TLS ${outcome.version}`,
    keyExchange: outcome.group ?? outcome.mode,
    cipher: outcome.suite,
    roundTrips: outcome.roundTrips,
    bytes,
    ms,
    authenticated,
  };
}
