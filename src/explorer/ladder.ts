import { escaped, showMs } from "./html.js";
import { limits } from "./limits.js";
import type { RecordedPacket, Side } from "./recording.js";

/** Pixels. */
const size = { width: 720, left: 90, right: 630, row: 17, gapMin: 8, gapMax: 56, perMs: 1 } as const;

/** A moment on a side, where packets leave or come. */
interface Moment {
  readonly at: number;
  y: number;
  /** Packets that leave or come on each side, so that none lies upon another. */
  readonly count: Record<Side, number>;
}

const other: Readonly<Record<Side, Side>> = { client: "server", server: "client" };

/**
 * Two lifelines and an arrow for each packet, from when it left to when it came; one that never did ends on its way. Time runs
 * downwards: long pauses are drawn short, and a moment with many packets is drawn as long as they need.
 */
export function ladder(all: readonly RecordedPacket[], anchor: string): string {
  const packets = all.slice(0, limits.drawnPacketsMax);
  const moments = momentsOf(packets);
  const taken = new Map<string, number>();
  const place = (side: Side, at: number): number => {
    const key = `${side} ${at}`;
    const nth = taken.get(key) ?? 0;
    taken.set(key, nth + 1);
    return moments.get(at)!.y + nth * size.row;
  };
  const arrows = packets.map((packet, i) => arrow(packet, place, `${anchor}${i}`));
  const last = Math.max(
    0,
    ...[...moments.values()].map(({ y, count }) => y + Math.max(count.client, count.server) * size.row),
  );
  const height = last + 30;
  const times = [...moments.values()].map(
    ({ at, y }) => `<text class="time" x="${size.left - 10}" y="${y + 4}" text-anchor="end">${showMs(at)}</text>`,
  );
  return [
    `<svg viewBox="0 0 ${size.width} ${height}" role="img" aria-label="packets between client and server">`,
    '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>',
    ...(["client", "server"] as const).map((side) => {
      const x = xOf(side);
      return `<text class="side" x="${x}" y="14" text-anchor="middle">${side}</text><line class="life" x1="${x}" y1="20" x2="${x}" y2="${height}"/>`;
    }),
    ...times,
    // Words lie above lines, whichever come later.
    ...arrows.map(({ line }) => line),
    ...arrows.map(({ words }) => words),
    "</svg>",
    ...(all.length > packets.length ? [`<p>and ${all.length - packets.length} packets more</p>`] : []),
  ].join("\n");
}

const xOf = (side: Side): number => (side === "client" ? size.left : size.right);

function momentsOf(packets: readonly RecordedPacket[]): ReadonlyMap<number, Moment> {
  const moments = new Map<number, Moment>();
  const add = (at: number, side: Side) => {
    const moment = moments.get(at) ?? { at, y: 0, count: { client: 0, server: 0 } };
    moment.count[side]++;
    moments.set(at, moment);
  };
  for (const { at, from, arrival } of packets) {
    add(at, from);
    if (arrival !== undefined) add(arrival, other[from]);
  }
  const sorted = [...moments.values()].sort((a, b) => a.at - b.at);
  let y = 36;
  for (const [i, moment] of sorted.entries()) {
    const before = sorted[i - 1];
    if (before !== undefined) {
      const gap = Math.min(Math.max((moment.at - before.at) * size.perMs, size.gapMin), size.gapMax);
      y += (Math.max(before.count.client, before.count.server) - 1) * size.row + gap + size.gapMin;
    }
    moment.y = y;
  }
  return new Map(sorted.map((moment) => [moment.at, moment]));
}

interface Arrow {
  readonly line: string;
  readonly words: string;
}

function arrow(packet: RecordedPacket, place: (side: Side, at: number) => number, id: string): Arrow {
  const { at, from, arrival, what, label, messages, bytes } = packet;
  const [x1, y1] = [xOf(from), place(from, at)];
  const isLost = arrival === undefined;
  const end = xOf(other[from]);
  const [x2, y2] = isLost ? [x1 + (end - x1) * 0.62, y1 + 8] : [end, place(other[from], arrival)];
  const said = messages.length > 0 ? messages.join(" · ") : label;
  const text = said.length > wordsMax ? `${said.slice(0, wordsMax - 2)} …` : said;
  const [tx, anchor] = from === "client" ? [x1 + 8, "start"] : [x1 - 8, "end"];
  const title = `<title>${escaped(`${label}, ${bytes.length} bytes${what === undefined ? "" : `, ${what}`}`)}</title>`;
  const group = (of: string) => `<a href="#${id}"><g class="${from}${isLost ? " lost" : ""}">${title}${of}</g></a>`;
  return {
    line: group(`<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}"${isLost ? "" : ' marker-end="url(#head)"'}/>`),
    words: group(
      `<text x="${tx}" y="${y1 - 3}" text-anchor="${anchor}">${escaped(text)}</text>${
        isLost ? `<text class="cross" x="${x2}" y="${y2 + 4}" text-anchor="middle">✕ ${escaped(what ?? "")}</text>` : ""
      }`,
    ),
  };
}

/** Letters of what is written at an arrow. */
const wordsMax = 74;
