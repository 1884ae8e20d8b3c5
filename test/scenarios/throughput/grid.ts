import { type LinkOptions, simulate } from "../../../src/hosts/simulator/index.js";
import { provider } from "../../support/provider.js";
import { tunnelBetween } from "../../support/tunnel-world.js";

export const megabits = 20;
export const seconds = 20;
export const roundTrips = [2, 20, 50, 100, 200] as const;
/** Of ten thousand packets, each way. */
export const losses = [0, 10, 100, 300] as const;
/** In parts of what the path holds: rate × round trip. */
export const buffers = [0.25, 1] as const;
const seed = 1;

/** Goodput in Mbit/s of one TCP stream through WireGuard, in virtual time: so many seconds from its first SYN. */
export async function goodput(roundTripMs: number, loss: number, buffer: number): Promise<number> {
  const world = simulate({ seed: `${seed} ${roundTripMs} ${loss} ${buffer}`, crypto: provider });
  const client = world.host("client", { addresses: ["192.0.2.1"] });
  const server = world.host("server", { addresses: ["192.0.2.2"] });
  const bandwidthDelay = (megabits * 1e6 * roundTripMs) / 8_000;
  const link: LinkOptions = {
    delayMs: roundTripMs / 2,
    bitsPerSecond: megabits * 1e6,
    // No switch holds less than ten packets.
    queueBytes: Math.max(15_000, Math.round(bandwidthDelay * buffer)),
    loss: { in: loss, of: 10_000 },
  };
  world.link(client, server, link);
  const ends = await tunnelBetween(world, client, server);
  let received = 0;
  await ends.server.tunnel.network.listenStreams({ address: "10.0.0.2", port: 7_000 }, () => ({
    bytes: (bytes) => {
      received += bytes.length;
    },
    ended: () => {},
    drained: () => {},
    closed: () => {},
  }));
  // The handshake of WireGuard is not what is measured.
  for (let up = false; !up; )
    up = await world.finish(
      ends.client.tunnel.ping("10.0.0.2").then(
        () => true,
        () => false,
      ),
    );
  const piece = new Uint8Array(65_536);
  const fill = (): void => {
    while (port.write(piece)) {}
  };
  const port = ends.client.tunnel.network.connectStream(
    { address: "10.0.0.2", port: 7_000 },
    { opened: () => fill(), bytes: () => {}, ended: () => {}, drained: () => fill(), closed: () => {} },
  );
  await world.run(seconds * 1_000);
  ends.client.tunnel.close();
  ends.server.tunnel.close();
  return (received * 8) / seconds / 1e6;
}

/** What Reno's response function allows (RFC 5681's mechanism; RFC 9438 §1 and Mathis et al.): no TCP is asked for more. */
export function renoBound(roundTripMs: number, loss: number): number {
  return loss === 0 ? megabits : (1_368 * 8 * Math.sqrt(1.5 / (loss / 10_000))) / roundTripMs / 1_000;
}

/** The whole grid as a page. */
export async function page(): Promise<string> {
  const lines = [
    "# TCP's throughput by round trip, loss and buffer",
    "",
    `One TCP stream of the stack through WireGuard over a simulated path of ${megabits} Mbit/s: Mbit/s that the application received in`,
    `the first ${seconds} seconds, the SYN included. CUBIC, SACK, RACK-TLP, timestamps, inner MTU 1,420; 18.48 is all that headers leave. Loss`,
    "is by chance and strikes both directions; the buffer before the path is given in parts of what the path holds, 15,000",
    "bytes at the least. In brackets what Reno's response function gives for the path (1,368 bytes × √(1.5 / loss) / round trip).",
    "",
    "Virtual time and a seed: the figures are the same on every machine. `UPDATE_GOLDEN=1 node scripts/test.mjs scenarios/throughput`",
    "makes this page anew, and without the variable compares it.",
  ];
  for (const buffer of buffers) {
    lines.push("", `## Buffer of ${buffer} × rate × round trip`, "");
    lines.push(`| round trip | ${losses.map((loss) => `loss ${loss / 100} %`).join(" | ")} |`);
    lines.push(`| ---: |${" ---: |".repeat(losses.length)}`);
    for (const roundTripMs of roundTrips) {
      const cells: string[] = [];
      for (const loss of losses) {
        const bound = Math.min(megabits, renoBound(roundTripMs, loss));
        cells.push(`${(await goodput(roundTripMs, loss, buffer)).toFixed(2)} (${bound.toFixed(1)})`);
      }
      lines.push(`| ${roundTripMs} ms | ${cells.join(" | ")} |`);
    }
  }
  return `${lines.join("\n")}\n`;
}
