/** One line of `sealport bench`: the same work done by Sealport and by another implementation in one run. */
export interface BenchRow {
  /** What was measured, with its parameters: "AES-128-GCM seal, 1350 bytes". */
  readonly what: string;
  /** "MB/s", "handshakes/s", "bytes per session": larger is better unless the unit is a cost. */
  readonly unit: string;
  readonly ours: number;
  readonly peer: number;
  /** With its version: "node:tls (OpenSSL 3.0.17)". */
  readonly peerName: string;
  /** ours / peer. */
  readonly ratio: number;
}

export interface BenchModule {
  run(): Promise<readonly BenchRow[]>;
}

/** A row, with its ratio. */
export function row(what: string, unit: string, ours: number, peer: number, peerName: string): BenchRow {
  return { what, unit, ours, peer, peerName, ratio: ours / peer };
}

/** The middle one; of an even number the mean of the two. */
export function median(figures: readonly number[]): number {
  const sorted = [...figures].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
