import { toHex } from "../../../bytes/index.js";
import { type Host, type InterfaceName, requireInterface, Secret, wake } from "../../../contract/index.js";
import { profile, publicKeyOf, WireGuard } from "../../../protocols/wireguard/index.js";
import { handshakesPerSecondMax, rejectAfterMs, rekeyAfterMs } from "../../../protocols/wireguard/limits.js";
import { type Probe, type ProtocolProbes, see } from "../../probe.js";
import { Initiator, pause } from "./initiator.js";
import { metProofs } from "./met.js";
import { shows } from "./shows.js";
import { echoed, staysOut, WireGuardStage } from "./stage.js";
import { findStranger, type Stranger } from "./stranger.js";

const data = Uint8Array.from({ length: 20_000 }, (_, i) => i * 31);
const short = (key: Uint8Array): string => `${toHex(key).slice(0, 8)}…`;

/** How a session would offer what WireGuard's row leaves blank. */
const methods: Partial<Record<InterfaceName, string>> = { CT: "closeSession", PSKE: "exportKey", CM: "sessions" };

export function wireguardProbes(host: Host): ProtocolProbes {
  const stage = new WireGuardStage(host);
  let found: Promise<Stranger | undefined> | undefined;
  const on =
    (cell: InterfaceName, proof: (stage: WireGuardStage, signal: AbortSignal) => Promise<string>): Probe =>
    async ({ signal }) => {
      const evidence = `between ends of Sealport, ${await proof(stage, signal)}`;
      const met = metProofs[cell];
      const stranger = met && (await (found ??= findStranger()));
      return stranger === undefined ? evidence : `${evidence}; and ${await met!(stage, stranger, signal)}`;
    };
  return {
    profile,
    cells: {
      IPK: on("IPK", identities),
      PSKI: on("PSKI", preSharedKeys),
      IV: on("IV", identityValidation),
      SAV: on("SAV", sourceAddressValidation),
      ME: on("ME", mobility),
      KU: on("KU", keyUpdate),
      KE: on("KE", keyExpiration),
    },
    async ask(cell) {
      using meeting = await stage.meet();
      const method = methods[cell];
      if (method !== undefined && method in meeting.client.tunnel) return method;
      return requireInterface(profile, cell);
    },
    shows: shows(stage),
  };
}

function samePsk(stage: WireGuardStage): { client: Uint8Array; server: Uint8Array } {
  const key = stage.newKey();
  return { client: key, server: key };
}

async function identities(stage: WireGuardStage, signal: AbortSignal): Promise<string> {
  const keys = { client: stage.newKey(), server: stage.newKey() };
  using meeting = await stage.meet({ keys });
  await echoed(meeting.client, data, signal);
  const session = meeting.server.told.find(({ kind }) => kind === "session");
  const ours = stage.publicKeyOf(keys.client);
  see(session?.kind === "session" && toHex(session.publicKey) === toHex(ours), "a session with the key that was given");
  return `the server's session is with ${short(ours)}, which is of the private key that the client was given`;
}

async function preSharedKeys(stage: WireGuardStage, signal: AbortSignal): Promise<string> {
  using right = await stage.meet({ preSharedKeys: samePsk(stage) });
  await echoed(right.client, data, signal);
  using wrong = await stage.meet({ preSharedKeys: { client: stage.newKey(), server: stage.newKey() } });
  see(await staysOut(wrong.client, 200), "no session under different keys");
  see(wrong.client.tunnel.status().drops["bad-handshake"] === 1, "the response refused");
  return `${data.length} bytes came back under a shared key; under two different ones the response was refused`;
}

async function identityValidation(stage: WireGuardStage, signal: AbortSignal): Promise<string> {
  using stranger = await stage.meet({ isKnown: false });
  see(await staysOut(stranger.client, 200), "no session for an unknown key");
  see(stranger.server.tunnel.status().drops["unknown-peer"]! > 0, "the unknown key refused");
  let asked = "";
  using guest = await stage.meet({
    isKnown: false,
    acceptPeer: async ({ publicKey }) => {
      await pause(20);
      asked = toHex(publicKey);
      return { allowedIps: [{ address: Uint8Array.of(10, 66, 0, 1), length: 32 }] };
    },
  });
  await echoed(guest.client, data, signal);
  see(asked === toHex(guest.client.publicKey), "the application asked about the key");
  return "an unknown key was refused; another came in after the application, asked, said yes 20 ms later";
}

/** Under load, who has not returned a cookie from its address gets a cookie and nothing else. */
async function sourceAddressValidation(stage: WireGuardStage, signal: AbortSignal): Promise<string> {
  const keys = { client: stage.newKey(), server: stage.newKey() };
  using meeting = await stage.meet({ keys });
  using initiator = await Initiator.open(
    stage,
    keys.client,
    meeting.server.publicKey,
    meeting.server.tunnel.local.port,
  );
  // Enough for one second even if it ends in the middle of them.
  await initiator.flood(2 * handshakesPerSecondMax + 1);
  await initiator.sendUntil(() => initiator.hasCookie, signal);
  see(initiator.others === 0, "nothing but cookies for who has none");
  await initiator.sendUntil(() => initiator.isAnswered, signal);
  return `under load ${initiator.cookies} cookies of 64 bytes and nothing else were sent; with its cookie the same source got its response`;
}

async function mobility(stage: WireGuardStage, signal: AbortSignal): Promise<string> {
  using meeting = await stage.meet();
  await echoed(meeting.client, data, signal);
  const before = meeting.client.tunnel.local.port;
  let after = 0;
  const bytes = await echoed(meeting.client, data, signal, async () => {
    after = (await meeting.client.tunnel.rebind({ address: "127.0.0.1", port: 0 })).port;
  });
  const moved = meeting.server.told.find(({ kind }) => kind === "moved");
  see(moved?.kind === "moved" && moved.to.port === after, "the server follow the client");
  return `the client went from port ${before} to ${after} in the middle of ${bytes} bytes, and all came back`;
}

/** Two machines on a wire without a network, so that minutes take no time. */
function wired(host: Host) {
  const { crypto, entropy } = host;
  const ends = ["192.0.2.1", "192.0.2.2"].map((address, i) => ({
    key: entropy.fill(new Uint8Array(32)),
    address: { address, port: 51_820 },
    inside: Uint8Array.of(10, 0, 0, i + 1),
  }));
  let now = host.now();
  const publicKeys = ends.map(({ key }) => publicKeyOf(crypto, key));
  const machines = ends.map(({ key }, i) => {
    const { address, inside } = ends[1 - i]!;
    const peer = { publicKey: publicKeys[1 - i]!, allowedIps: [{ address: inside, length: 32 }], endpoint: address };
    return new WireGuard({ crypto, entropy, privateKey: Secret.copy(key), peers: [peer] }, now);
  });
  const told: Record<"sessions" | "packets" | "expired", number> = { sessions: 0, packets: 0, expired: 0 };
  const buffer = new Uint8Array(65_535);
  let open = true;
  const settle = (): void => {
    for (let moved = true; moved; ) {
      moved = false;
      for (const [i, machine] of machines.entries()) {
        for (let t = machine.transmit(buffer, now); t; t = machine.transmit(buffer, now)) {
          moved = true;
          const bytes = buffer.slice(0, t.size);
          const [from, to] = [ends[i]!.address, ends[1 - i]!.address];
          if (open) machines[1 - i]!.handle({ kind: "datagrams", bytes, from, to, segmentSize: 0, ecn: 0 }, now);
        }
        for (let e = machine.event(); e; e = machine.event()) {
          if (e.kind === "packets") told.packets += e.count;
          if (e.kind === "session") told.sessions++;
          if (e.kind === "expired") told.expired++;
        }
      }
    }
  };
  const send = (): void => {
    const packet = new Uint8Array(20);
    packet.set([0x45, 0, 0, 20]);
    packet.set(ends[0]!.inside, 12);
    packet.set(ends[1]!.inside, 16);
    machines[0]!.handle({ kind: "packet", bytes: packet }, now);
    settle();
  };
  const pass = (ms: number): void => {
    now += ms;
    for (const machine of machines) machine.handle(wake, now);
    settle();
  };
  const cut = (): void => {
    open = false;
  };
  return { count: (what: keyof typeof told): number => told[what], send, pass, cut };
}

async function keyUpdate({ host }: WireGuardStage): Promise<string> {
  const { count, send, pass } = wired(host);
  send();
  see(count("sessions") === 2 && count("packets") === 1, "a session at both ends");
  pass(rekeyAfterMs + 1);
  send();
  see(count("sessions") === 4 && count("packets") === 2, "a new session at both ends after two minutes");
  return `after ${rekeyAfterMs / 1_000} s the next packet brought new keys at both ends`;
}

async function keyExpiration({ host }: WireGuardStage): Promise<string> {
  const { count, send, pass, cut } = wired(host);
  send();
  see(count("packets") === 1, "a packet under the first keys");
  cut();
  pass(rejectAfterMs);
  send();
  see(count("packets") === 1, "no packet under keys that are too old");
  for (let i = 0; i < 40; i++) pass(10_000);
  see(count("expired") === 2, "both ends told that their keys ended");
  return `after ${rejectAfterMs / 1_000} s nothing went under the old keys; after ${(3 * rejectAfterMs) / 1_000} s both told that they are wiped`;
}
