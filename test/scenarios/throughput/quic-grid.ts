import { type LinkOptions, simulate } from "../../../src/hosts/simulator/index.js";
import type { CongestionName } from "../../../src/protocols/quic/index.js";
import { provider } from "../../support/provider.js";
import { quicPair, startOfTime } from "../../support/quic-pair.js";

export const megabits = 20;
export const seconds = 8;
export const roundTrips = [20, 100, 300] as const;
/** Of ten thousand packets, each way. */
export const losses = [0, 10, 100, 300] as const;
/** In parts of what the path holds: rate × round trip. */
export const buffers = [0.25, 1] as const;
export const controllers: readonly CongestionName[] = ["cubic", "bbr"];
/** Bytes of a stream in a packet of 1,452 bytes: less header, tag, and the frame's head. */
const payload = 1_410;

/** Goodput in Mbit/s of one QUIC stream in virtual time: so many seconds from the handshake's end. */
export async function goodput(
  congestion: CongestionName,
  roundTripMs: number,
  loss: number,
  buffer: number,
): Promise<number> {
  const world = simulate({
    seed: `quic ${congestion} ${roundTripMs} ${loss} ${buffer}`,
    crypto: provider,
    start: startOfTime,
  });
  const link: LinkOptions = {
    delayMs: roundTripMs / 2,
    bitsPerSecond: megabits * 1e6,
    // No switch holds less than ten packets.
    queueBytes: Math.max(15_000, Math.round(((megabits * 1e6 * roundTripMs) / 8_000) * buffer)),
    loss: { in: loss, of: 10_000 },
  };
  const pair = await quicPair(world, { link, client: { congestion } });
  await world.until(() => pair.server?.outcome !== undefined && pair.client.outcome !== undefined);
  const { stream } = pair.client.open();
  const piece = new Uint8Array(65_536);
  const began = world.elapsed;
  while (world.elapsed - began < seconds * 1_000) {
    while (stream.write(piece)) {}
    await world.run(10);
  }
  const received = pair.server.streams[0]?.size ?? 0;
  pair.client.session.abort();
  await world.finish(pair.listener.closeAll());
  return (received * 8) / seconds / 1e6;
}

/** What Reno's response function allows (RFC 9438 §1 and Mathis et al.), and the path. */
export function bound(roundTripMs: number, loss: number): number {
  if (loss === 0) return megabits;
  return Math.min(megabits, (payload * 8 * Math.sqrt(1.5 / (loss / 10_000))) / roundTripMs / 1_000);
}

/** A cell of the page. */
export interface Cell {
  readonly congestion: CongestionName;
  readonly roundTripMs: number;
  readonly loss: number;
  readonly buffer: number;
  readonly goodput: number;
}

export async function grid(): Promise<readonly Cell[]> {
  const cells: Cell[] = [];
  for (const congestion of controllers) {
    for (const buffer of buffers) {
      for (const roundTripMs of roundTrips) {
        for (const loss of losses) {
          const measured = await goodput(congestion, roundTripMs, loss, buffer);
          cells.push({ congestion, roundTripMs, loss, buffer, goodput: measured });
        }
      }
    }
  }
  return cells;
}

/** The whole grid as a page. */
export function page(cells: readonly Cell[]): string {
  const lines = [
    "# QUIC's throughput by round trip, loss and buffer",
    "",
    `One QUIC stream over a simulated path of ${megabits} Mbit/s: Mbit/s that the application received in the first ${seconds} seconds behind`,
    "the handshake, slow start included. Loss is by chance and strikes both directions; the buffer before the path is given in parts",
    "of what the path holds, 15,000 bytes at the least. In brackets what Reno's response function gives for the path",
    `(${payload.toLocaleString("en")} bytes × √(1.5 / loss) / round trip), which CUBIC is not asked to pass and BBR is not bound by.`,
    "",
    "Virtual time and a seed: the figures are the same on every machine. `UPDATE_GOLDEN=1 node scripts/test.mjs scenarios/throughput/quic`",
    "makes this page anew; without the variable they are compared, with a tolerance, for each change of a timer moves them a little.",
  ];
  for (const congestion of controllers) {
    for (const buffer of buffers) {
      lines.push("", `## ${congestion}, buffer of ${buffer} × rate × round trip`, "");
      lines.push(`| round trip | ${losses.map((loss) => `loss ${loss / 100} %`).join(" | ")} |`);
      lines.push(`| ---: |${" ---: |".repeat(losses.length)}`);
      for (const roundTripMs of roundTrips) {
        const row = losses.map((loss) => {
          const cell = cells.find(
            (each) =>
              each.congestion === congestion &&
              each.buffer === buffer &&
              each.roundTripMs === roundTripMs &&
              each.loss === loss,
          );
          return `${cell!.goodput.toFixed(2)} (${bound(roundTripMs, loss).toFixed(1)})`;
        });
        lines.push(`| ${roundTripMs} ms | ${row.join(" | ")} |`);
      }
    }
  }
  return `${lines.join("\n")}\n`;
}

/** The figures of a page, in its order. */
export function figures(text: string): number[] {
  return [...text.matchAll(/(\d+\.\d\d) \(/g)].map(([, figure]) => Number(figure));
}
