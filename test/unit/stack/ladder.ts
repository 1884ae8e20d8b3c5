import { Segment } from "../../../src/stack/tcp/segment.js";
import type { StackPair } from "./pair.js";

const letters = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"] as const;

/**
 * A ladder diagram of what a pair sends, a line a segment: milliseconds since the start, direction, flags but PSH, where
 * it starts and ends, what it acknowledges, counted from each end's SYN, and what is out of the ordinary.
 *
 *     20 ◀ SYN ACK 0–1 ack 1
 */
export class Ladder {
  readonly lines: string[] = [];
  /** Bytes that both ends sent before, which are not counted. */
  count = 0;
  readonly #pair: StackPair;
  readonly #initial: [number | undefined, number | undefined] = [undefined, undefined];
  #start: number;
  /** Loses segments, told by their line without the time. */
  lose: (line: string, packet: Uint8Array) => boolean = () => false;

  constructor(pair: StackPair) {
    this.#pair = pair;
    this.#start = pair.now;
    pair.filter = (packet, from) => this.#saw(packet, from);
  }

  /** What was sent since the last `take`; time counts from here. */
  take(): readonly string[] {
    this.#start = this.#pair.now;
    return this.lines.splice(0);
  }

  #saw(packet: Uint8Array, from: number): boolean {
    const v4 = packet[0]! >> 4 === 4;
    const at = v4 ? 20 : 40;
    if (packet[v4 ? 9 : 6] !== 6) return true;
    const segment = new Segment();
    if (!segment.read(packet, at, packet.length)) return true;
    const flags = letters.filter((name, i) => name !== "PSH" && (segment.flags >> i) & 1);
    if (flags.includes("SYN")) this.#initial[from] = segment.sequence;
    const sequence = (segment.sequence - this.count - (this.#initial[from] ?? 0)) | 0;
    const parts = [from === 0 ? "▶" : "◀", ...flags, `${sequence}–${sequence + segment.length}`];
    if (flags.includes("ACK"))
      parts.push(`ack ${(segment.acknowledgment - this.count - (this.#initial[1 - from] ?? 0)) | 0}`);
    if (segment.window === 0 && !flags.includes("RST")) parts.push("closed");
    for (let i = 0; i < segment.sackCount; i++) {
      const edge = (j: number): number => (segment.sackEdges[j]! - this.count - (this.#initial[1 - from] ?? 0)) | 0;
      parts.push(`sack ${edge(2 * i)}–${edge(2 * i + 1)}`);
    }
    const ecn = v4 ? packet[1]! & 3 : (packet[1]! >> 4) & 3;
    if (ecn === 2) parts.push("ECT");
    const line = parts.join(" ");
    const isLost = this.lose(line, packet);
    this.lines.push(`${Math.round(this.#pair.now - this.#start)} ${line}${isLost ? " ✗" : ""}`);
    return !isLost;
  }
}
