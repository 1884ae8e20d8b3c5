import type { Instant } from "./time.js";

/** Something worth telling about a session: one stream feeds logs, qlog, diagnostics channels and the explorer. */
export interface TraceEvent {
  readonly at: Instant;
  readonly protocol: string;
  /** `category:name`, as qlog writes it: "tls:message_sent", "tls:key_updated", "udp:dropped". */
  readonly name: string;
  /** Never secrets: those go to the key log alone. */
  readonly data: Readonly<Record<string, unknown>>;
}

/** Takes trace events; absent means that none are made. */
export type Trace = (event: TraceEvent) => void;

/** Takes one line of a key log (SSLKEYLOGFILE or WireGuard format), without its newline. */
export type KeyLog = (line: string) => void;
