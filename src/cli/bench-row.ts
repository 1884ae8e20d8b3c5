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
