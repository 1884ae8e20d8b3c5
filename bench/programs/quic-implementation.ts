import type { PemIdentity } from "./implementation.js";

/**
 * A QUIC implementation as the benchmarks see it. The application is the same everywhere: a stream asks with eight bytes,
 * a number, and so many bytes come back.
 */
export interface QuicImplementation {
  /** With the version of what does the work. */
  readonly name: string;
  /** Listens on a free port of 127.0.0.1. */
  serve(identity: PemIdentity): Promise<number>;
  /** Resolves when the handshake is done. `trust` is PEM of the authority. Default ALPN: the application's. */
  connect(port: number, trust: string, alpn?: string): Promise<QuicLink>;
}

/** A client's connection. */
export interface QuicLink {
  /** On a new stream: asks for so many bytes, and resolves when as many have come. */
  ask(bytes: number): Promise<void>;
  close(): void;
}

/** ALPN of the application. */
export const applicationProtocol = "bench";

/** What asks for so many bytes. */
export function question(bytes: number): Uint8Array {
  const asked = new Uint8Array(8);
  const view = new DataView(asked.buffer);
  view.setUint32(0, Math.floor(bytes / 2 ** 32));
  view.setUint32(4, bytes % 2 ** 32);
  return asked;
}

export const askedFor = (asked: Uint8Array): number =>
  Number(new DataView(asked.buffer, asked.byteOffset, 8).getBigUint64(0));

/** What is sent, over and over. */
export const filling = new Uint8Array(65_536).fill(7);
