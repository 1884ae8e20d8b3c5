import type { QuicClientOptions, QuicServerOptions, QuicSession } from "../../src/protocols/quic/index.js";

/** How a case of quic-interop-runner is played: what differs from a plain transfer by hq-interop on one connection. */
export interface Case {
  /** Default `hq-interop`. */
  readonly alpn?: "h3";
  /**
   * What a client opens: one connection for all requests, a new one for each, or a first one for the first request and
   * one that is resumed for the rest. Default `one`.
   */
  readonly connections?: "one" | "each" | "resumed";
  /** What a client does once the handshake is confirmed and the requests are under way. */
  readonly during?: (session: QuicSession) => unknown;
  readonly client?: Partial<QuicClientOptions>;
  readonly server?: Partial<QuicServerOptions>;
  /** A server that is told another address to move to, beside its own. */
  readonly preferredAddress?: true;
}

const chacha = { suites: ["TLS_CHACHA20_POLY1305_SHA256"] } as const;

/**
 * The cases, by the value of TESTCASE at either end. Loss, corruption, long ways, black holes, rebinding and IPv6 are the
 * network's doing: there the ends play `transfer`, `handshake` or `multiconnect`. What is not here ends with 127.
 */
export const cases: Readonly<Record<string, Case>> = {
  handshake: {},
  transfer: {},
  longrtt: {},
  multiplexing: {},
  chacha20: { client: chacha, server: chacha },
  retry: { server: { retry: "always" } },
  resumption: { connections: "resumed" },
  zerortt: { connections: "resumed", client: { earlyData: true }, server: { earlyData: true } },
  http3: { alpn: "h3" },
  blackhole: {},
  keyupdate: { during: (session) => session.updateKeys() },
  ecn: { client: { ecn: true }, server: { ecn: true } },
  amplificationlimit: {},
  handshakeloss: { connections: "each" },
  transferloss: {},
  handshakecorruption: { connections: "each" },
  transfercorruption: {},
  multiconnect: { connections: "each" },
  ipv6: {},
  // RFC 9368: the client begins with version 1, and the server changes to 2.
  v2: { client: { versions: ["1", "2"] }, server: { versions: ["2", "1"] } },
  "rebind-port": {},
  "rebind-addr": {},
  connectionmigration: { during: (session) => session.migrate(), preferredAddress: true },
  goodput: {},
  crosstraffic: {},
};
