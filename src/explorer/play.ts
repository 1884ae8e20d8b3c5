import type { CryptoProvider, TraceEvent } from "../contract/index.js";
import { type SeenPacket, simulate } from "../hosts/simulator/index.js";
import { newAuthority } from "../survey/stage/authority.js";
import { protocolStacks, TransportServices } from "../taps/index.js";
import type { Conditions } from "./conditions.js";
import { segmentLabel } from "./labels.js";
import { limits } from "./limits.js";
import type { RecordedEvent, RecordedPacket, Recording, Side } from "./recording.js";
import { type Scene, serverName } from "./scenes.js";

const addresses: Readonly<Record<Side, string>> = { client: "192.0.2.1", server: "198.51.100.1" };

/** Plays a scene in virtual time, and writes down all that passes. The same conditions give the same recording. */
export async function play(scene: Scene, conditions: Conditions, crypto: CryptoProvider): Promise<Recording> {
  // Code is loaded in real time: all of it before a world begins.
  await Promise.all(protocolStacks.map(({ load }) => load?.()));
  const { delayMs, lossPercent, seed, bytes } = conditions;
  const packets: RecordedPacket[] = [];
  const events: RecordedEvent[] = [];
  const outcome: (readonly [string, string])[] = [];
  const sayings = new Sayings();
  let begin = 0;
  const world = simulate({
    seed,
    crypto,
    isCapturing: true,
    seen: ({ at, packet, arrival, what }: SeenPacket) => {
      const from = packet.from.address === addresses.client ? "client" : "server";
      packets.push({
        at: at - begin,
        from,
        arrival: arrival === undefined ? undefined : arrival - begin,
        what,
        label: packet.segment
          ? segmentLabel(packet.segment, packet.bytes, scene.label)
          : packet.bytes.length === 0
            ? "nothing"
            : scene.label(packet.bytes),
        messages: sayings.of(from, at - begin, packet.bytes.length),
        bytes: packet.bytes.slice(),
      });
    },
    traced: (host, { at, name, data }: TraceEvent) => {
      const event = { at: at - begin, side: host as Side, name, data };
      events.push(event);
      sayings.add(event);
    },
  });
  begin = world.now();
  const [client, server] = (["client", "server"] as const).map((side) => {
    const host = world.host(side, { addresses: [addresses[side]] });
    return { host, system: new TransportServices({ host, stacks: protocolStacks }) };
  });
  world.link(client!.host, server!.host, { delayMs, loss: { in: lossPercent, of: 100 } });
  world.name(serverName, { addresses: [addresses.server] });
  let standingMs: number | undefined;
  let failure: string | undefined;
  try {
    const played = scene.play({
      client: client!,
      server: server!,
      authority: newAuthority(server!.host, "Ed25519"),
      payload: Uint8Array.from({ length: bytes }, (_, i) => 0x61 + (i % 26)),
      stands: (agreed) => {
        standingMs = world.elapsed;
        outcome.push(...agreed);
      },
      tell: (what, value) => void outcome.push([what, value]),
      sleep: (ms) => new Promise((resolve) => void client!.host.wakeAt(client!.host.now() + ms, resolve)),
    });
    await world.finish(played, limits.sceneMsMax);
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
  }
  return {
    scene: scene.name,
    conditions,
    packets,
    events,
    standingMs,
    elapsedMs: world.elapsed,
    outcome,
    failure,
    capture: world.capture(),
  };
}

interface Said {
  readonly at: number;
  readonly what: string;
  /** Bytes that it takes in a datagram, where that is told. */
  readonly size: number;
}

/** What an end says that it sends, until the packet comes by that has it. */
class Sayings {
  readonly #said: Record<Side, Said[]> = { client: [], server: [] };

  add({ at, side, name, data }: RecordedEvent): void {
    const what = describe(name, data);
    const { length = 0 } = (data["raw"] ?? {}) as { readonly length?: number };
    if (what !== undefined) this.#said[side].push({ at, what, size: length });
  }

  /** A packet leaves at the moment at which it is spoken of, and several may leave in one: what fills this one is its own. */
  of(side: Side, at: number, size: number): readonly string[] {
    const said = this.#said[side].filter((each) => each.at === at);
    let filled = 0;
    const own = said.findIndex((each) => each.size > 0 && (filled += each.size) >= size);
    const count = own < 0 ? said.length : own + 1;
    this.#said[side] = said.slice(count);
    return said.slice(0, count).map(({ what }) => what);
  }
}

/** In a word, for events that are about something sent. */
function describe(name: string, data: Readonly<Record<string, unknown>>): string | undefined {
  if (name.endsWith(":message_sent")) return String(data["message"]);
  if (!name.endsWith(":packet_sent")) return undefined;
  const header = data["header"] as { readonly packet_type?: string; readonly packet_number?: number } | undefined;
  const frames = data["frames"] as readonly { readonly frame_type?: string }[] | undefined;
  const kinds = [...new Set(frames?.map((frame) => frame.frame_type))].join(", ");
  return `${header?.packet_type} ${header?.packet_number}: ${kinds}`;
}
