import { createSocket } from "node:dgram";
import { once } from "node:events";
import { Failure, type Host, type InterfaceName } from "../../../contract/index.js";
import {
  type GquicVersion,
  gquicProfile,
  type KnownServer,
  type KnownServers,
  MemoryKnownServers,
} from "../../../protocols/gquic/index.js";
import { askBlank, evidence, type Probe, type ProtocolProbes, see } from "../../probe.js";
import { newAuthority } from "../../stage/authority.js";
import { UdpWire } from "../../udp-wire.js";
import { GquicStage } from "./stage.js";

const data = Uint8Array.from({ length: 60_000 }, (_, i) => i * 31);
const few = data.subarray(0, 900);

/** How a session would offer what Google QUIC has nothing for. */
const methods: Partial<Record<InterfaceName, readonly string[]>> = {
  KU: ["updateKeys"],
  PSKE: ["exportKey"],
  KE: ["onKeyExpiring"],
};

/** Google QUIC's interfaces, shown beside the table, which describes it and gives it no row. */
export function gquicProbes(host: Host): ProtocolProbes {
  const stage = new GquicStage(host);
  const on =
    (proof: (stage: GquicStage, signal: AbortSignal) => Promise<string>): Probe =>
    async ({ signal }) =>
      evidence(await proof(stage, signal));
  return {
    profile: gquicProfile,
    cells: {
      IPK: on(identities),
      ALG: on(algorithms),
      CM: on(caching),
      IV: on(identityValidation),
      SAV: on(sourceAddresses),
      CT: on(termination),
      ME: on(mobility),
    },
    async ask(cell, { signal }) {
      await using echo = await stage.echo();
      const { session } = await stage.echoed(echo.listener.local.port, few, signal);
      return askBlank(gquicProfile, cell, session, methods);
    },
    shows: (["Q043", "Q046", "Q050"] as const).map((version) => ({
      title: `Sealport ↔ Sealport, ${version}`,
      async run({ signal }) {
        const started = host.now();
        await using echo = await stage.echo({ versions: [version] });
        const { outcome } = await stage.echoed(echo.listener.local.port, data, signal, { versions: [version] });
        return {
          version: `gQUIC ${outcome.version}`,
          keyExchange: "X25519",
          cipher: "AES-128-GCM",
          roundTrips: outcome.roundTrips,
          bytes: data.length,
          authenticated: "server by certificate",
          ms: host.now() - started,
        };
      },
    })),
  };
}

/** The failure with which a session ends; fails if it does not. */
async function refusal(attempt: Promise<unknown>): Promise<Failure> {
  const failure = await attempt.then(
    () => undefined,
    (error: unknown) => error,
  );
  see(failure instanceof Failure, "that it is refused");
  return failure;
}

async function identities(stage: GquicStage, signal: AbortSignal): Promise<string> {
  await using ours = await stage.echo();
  const { outcome } = await stage.echoed(ours.listener.local.port, few, signal);
  const { certificates } = await stage.authority.identity("survey.test");
  see(outcome.peer?.kind === "certificate" && outcome.peer.chain[0]!.length === certificates[0]!.length, "our chain");
  // The right chain, and a signature by another key.
  const right = await stage.authority.identity("survey.test");
  const other = await newAuthority(stage.host).identity("survey.test");
  await using theirs = await stage.echo({ identity: { ...right, sign: other.sign.bind(other) } });
  const failure = await refusal(stage.echoed(theirs.listener.local.port, few, signal));
  see(failure.reason === "proof-invalid" && failure.at === "PROF", `proof-invalid, not ${failure.reason}`);
  return "a config signed by the certificate's key was taken; with the same chain and another key's signature it was not";
}

async function algorithms(stage: GquicStage, signal: AbortSignal): Promise<string> {
  const seen: string[] = [];
  for (const [client, server] of [
    [["Q043"], ["Q050", "Q043"]],
    [["Q050", "Q046"], ["Q046"]],
    [["Q046", "Q043"], ["Q043"]],
  ] as const satisfies readonly (readonly [readonly GquicVersion[], readonly GquicVersion[]])[]) {
    await using echo = await stage.echo({ versions: server });
    await using wire = await UdpWire.to(echo.listener.local.port);
    const { outcome } = await stage.echoed(wire.port, few, signal, { versions: client });
    const wanted = client.find((each) => (server as readonly string[]).includes(each));
    see(outcome.version === wanted, `${wanted}`);
    see(
      wire.toServer.some((bytes) => bytes.includes(`${wanted}`)),
      `${wanted} on the wire`,
    );
    seen.push(`${client.join(", ")} to ${server.join(", ")} made ${outcome.version}`);
  }
  await using echo = await stage.echo({ versions: ["Q043"] });
  const failure = await refusal(stage.echoed(echo.listener.local.port, few, signal, { versions: ["Q050"] }));
  see(failure.reason === "no-common-version", failure.reason);
  return `${seen.join("; ")}; nothing in common was refused`;
}

async function caching(stage: GquicStage, signal: AbortSignal): Promise<string> {
  const known = new MemoryKnownServers();
  let port = 0;
  {
    await using echo = await stage.echo();
    ({ port } = echo.listener.local);
    const first = await stage.echoed(port, few, signal, { known });
    see(first.outcome.roundTrips === 2 && !first.outcome.resumed, "two round trips at first");
    const second = await stage.echoed(port, few, signal, { known, early: true });
    see(second.outcome.roundTrips === 1 && second.outcome.resumed, "one with the config");
    see(second.earlyData === "accepted" && echo.early === 1, "bytes that came early");
  }
  // Another server in its place, which has other configs.
  await using _again = await stage.echo({}, port);
  const third = await stage.echoed(port, few, signal, { known, early: true });
  see(third.earlyData === "rejected" && !third.outcome.resumed, "a config that nobody knows");
  return "2 round trips, then 1 with the kept config and its bytes early; after the server began anew they were rejected, and came again";
}

async function identityValidation(stage: GquicStage, signal: AbortSignal): Promise<string> {
  await using echo = await stage.echo();
  const { port } = echo.listener.local;
  await stage.echoed(port, few, signal);
  const wrongName = await refusal(stage.echoed(port, few, signal, { serverName: "other.test" }));
  const nobody = await refusal(stage.echoed(port, few, signal, { verify: () => ({ trusted: false, message: "no" }) }));
  see(wrongName.reason === "proof-invalid" && nobody.reason === "proof-invalid", "both refused");
  see(echo.sessions.length === 1, "no session of those that did not trust");
  return `the right name was taken; "${wrongName.message.slice(0, 60)}", and a client that trusts nobody, were not`;
}

/** What proves an address, and what one draws that proves none. */
async function sourceAddresses(stage: GquicStage, signal: AbortSignal): Promise<string> {
  await using echo = await stage.echo();
  const { port } = echo.listener.local;
  await using wire = await UdpWire.to(port);
  const known = new OneServer();
  await stage.echoed(wire.port, few, signal, { known, versions: ["Q043"] });
  const right = await stage.echoed(port, few, signal, { known });
  see(right.outcome.roundTrips === 1, "one round trip with a token of ours");
  const { server } = known;
  known.server = { ...server!, token: server!.token!.map((byte, i) => (i === 20 ? byte ^ 1 : byte)) };
  const forged = await stage.echoed(port, few, signal, { known });
  see(forged.outcome.roundTrips === 2, "two with a forged one");
  // Another server, to which the first hello is new; its sender never speaks again.
  await using other = await stage.echo({ handshakeTimeoutMs: 1_500 });
  const deaf = createSocket("udp4");
  let drawn = 0;
  deaf.on("message", (message) => {
    drawn += message.length;
  });
  deaf.bind(0, "127.0.0.1");
  await once(deaf, "listening");
  const [hello] = wire.toServer;
  try {
    deaf.send(hello!, other.listener.local.port, "127.0.0.1");
    await until(() => drawn > 0, signal);
    // Answers are sent again until the handshake is given up.
    await until(() => other.listener.connections === 0, signal);
  } finally {
    deaf.close();
  }
  see(drawn <= 3 * hello!.length, `${drawn} bytes for ${hello!.length}`);
  return `a token of ours saved a round trip, a forged one did not; who never spoke again drew ${drawn} bytes for ${hello!.length}`;
}

/** A client's memory of one server, whatever port it is spoken to by. */
class OneServer implements KnownServers {
  server: KnownServer | undefined;

  get(): KnownServer | undefined {
    return this.server;
  }

  set(_name: string, server: KnownServer): void {
    this.server = server;
  }

  delete(): void {
    this.server = undefined;
  }
}

async function termination(stage: GquicStage, signal: AbortSignal): Promise<string> {
  await using echo = await stage.echo();
  const { session } = await stage.echoed(echo.listener.local.port, data, signal);
  see(echo.ended === 1 && echo.closed.length === 0, "the end of a stream, and the session lives");
  session.close();
  await until(() => echo.closed.length === 1, signal);
  see(echo.closed[0] === undefined, "a clean end");
  return "FIN ended one direction and the other went on; CONNECTION_CLOSE ended the session cleanly at the other side";
}

async function mobility(stage: GquicStage, signal: AbortSignal): Promise<string> {
  await using echo = await stage.echo();
  const places: number[] = [];
  const { session } = await stage.echoed(echo.listener.local.port, data, signal, {
    during: async (moving) => {
      await until(() => echo.sessions.length === 1, signal);
      places.push(echo.sessions[0]!.remote.port);
      await moving.migrate();
      await until(() => echo.sessions[0]!.remote.port !== places[0], signal);
      places.push(echo.sessions[0]!.remote.port);
    },
  });
  see(echo.sessions.length === 1, "one session all the while");
  await using wire = await UdpWire.to(echo.listener.local.port);
  await stage.echoed(wire.port, data, signal, { during: () => wire.rebind() });
  session.close();
  return `a client went from port ${places[0]} to ${places[1]} in the middle of a stream, and a NAT moved another; nothing was missing`;
}

async function until(isSo: () => boolean, signal: AbortSignal): Promise<void> {
  while (!isSo()) {
    signal.throwIfAborted();
    await new Promise((later) => setTimeout(later, 2));
  }
}
