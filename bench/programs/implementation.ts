/** A TLS implementation as the benchmarks see it: the same few verbs, so that the same loop drives each. */
export interface TlsImplementation {
  /** With the version of what does the work. */
  readonly name: string;
  /** Listens on a free port of 127.0.0.1. `accepted` is called when a handshake is done. */
  serve(identity: PemIdentity, accepted: (link: Link) => void): Promise<number>;
  /** Resolves when the handshake is done. */
  connect(port: number, options: ConnectOptions): Promise<Link>;
}

export interface PemIdentity {
  readonly chain: string;
  readonly key: string;
}

export interface ConnectOptions {
  /** PEM of the authority. */
  readonly trust: string;
  /** Something that `resumable` of an earlier link answered. */
  readonly resume?: unknown;
}

/** One end of a session. */
export interface Link {
  readonly resumed: boolean;
  /** Sends; resolves at once or when there is room for more. The bytes do not change meanwhile. */
  write(bytes: Uint8Array): Promise<void> | undefined;
  /** Called for everything that is received from now on. */
  receive(call: (bytes: Uint8Array) => void): void;
  /** What another connection needs to resume this session; resolves when the server has sent it. */
  resumable(): Promise<unknown>;
  close(): void;
}

/** Only this is negotiated, everywhere. */
export const suite = "TLS_AES_128_GCM_SHA256";
export const serverName = "bench.test";
