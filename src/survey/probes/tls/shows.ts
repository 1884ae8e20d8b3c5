import { equal } from "../../../bytes/index.js";
import type { PeerIdentity } from "../../../contract/index.js";
import { parseCertificate } from "../../../pki/index.js";
import type { TlsClientOptions, TlsOutcome } from "../../../protocols/tls/index.js";
import { type Show, type Shown, see } from "../../probe.js";
import type { End } from "./end.js";
import type { Stage } from "./stage.js";

const name = "demo.test";
/** Bytes that go one way and come back. */
const bytesEachWay = 256 * 1024;

/** Handshakes to show, each with data there and back: between our own ends, and with OpenSSL in both roles. */
export function shows(stage: Stage): readonly Show[] {
  const { openssl } = stage;
  const client: TlsClientOptions = { serverName: name, verify: stage.authority.verify };
  const both: Show = {
    title: "Sealport → Sealport",
    async run() {
      const started = stage.host.now();
      await using meeting = await stage.meet(client, { identity: await stage.authority.identity(name) });
      const payload = stage.host.entropy.fill(new Uint8Array(bytesEachWay));
      meeting.client.say(payload);
      see(equal(await meeting.server.hears(bytesEachWay), payload), "the bytes at the server");
      meeting.server.say(payload);
      see(equal(await meeting.client.hears(bytesEachWay), payload), "the bytes back at the client");
      return shown(meeting.outcome.client, 2 * bytesEachWay, stage.host.now() - started);
    },
  };
  const older: Show = { ...both, title: "Sealport → Sealport (1.2)", run: (context) => shows12(context.signal) };
  async function shows12(_: AbortSignal): Promise<Shown> {
    const started = stage.host.now();
    await using meeting = await stage.meet(
      { ...client, versions: ["1.2"] },
      { identity: await stage.authority.identity(name), versions: ["1.2"] },
    );
    await echoed(meeting.client, meeting.server, stage);
    return shown(meeting.outcome.client, 2 * bytesEachWay, stage.host.now() - started);
  }
  if (openssl === undefined) return [both, older];
  return [
    both,
    older,
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

async function echoed(client: End, server: End, stage: Stage): Promise<void> {
  const payload = stage.host.entropy.fill(new Uint8Array(bytesEachWay));
  client.say(payload);
  see(equal(await server.hears(bytesEachWay), payload), "the bytes at the server");
  server.say(payload);
  see(equal(await client.hears(bytesEachWay), payload), "the bytes back at the client");
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

function by(peer: PeerIdentity | undefined): string {
  if (peer?.kind !== "certificate") return `by ${peer?.kind ?? "nothing"}`;
  const certificate = parseCertificate(peer.chain[0]!);
  return "subject" in certificate && "text" in certificate ? `by certificate ${certificate.text}` : "by certificate";
}
