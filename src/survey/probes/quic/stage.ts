import type { Failure, Host } from "../../../contract/index.js";
import type { QuicClientOptions, QuicListener, QuicOutcome, QuicServerOptions } from "../../../protocols/quic/index.js";
import type { Authority } from "../tls/stage.js";
import type { End } from "./end.js";
import type { Ngtcp2 } from "./ngtcp2.js";
import type { UdpWire } from "./wire.js";

/** What the probes play on. The tests change one thing of it, and see that the probe notices. */
export interface Stage {
  readonly host: Host;
  readonly authority: Authority;
  /** ngtcp2's server as the other end, if there is one in PATH. */
  readonly ngtcp2: Ngtcp2 | undefined;
  /** Two ends of ours that have shaken hands across the host's loopback, observed on the way. */
  meet(client: QuicClientOptions, server: QuicServerOptions, how?: How): Promise<Meeting>;
  /** Two ends of ours that must not come together: answers what each of them says. */
  clash(client: QuicClientOptions, server: QuicServerOptions): Promise<{ client: Failure; server: Failure }>;
  /** Our client with a server on this port. */
  visit(port: number, client: QuicClientOptions): Promise<Visit>;
  /** Our server, for the next client. */
  receive(server: QuicServerOptions): Promise<Reception>;
}

export interface How {
  /** What goes before the handshake is over. */
  readonly early?: Uint8Array;
}

export interface Meeting extends AsyncDisposable {
  readonly client: End;
  readonly server: End;
  readonly outcome: { readonly client: QuicOutcome; readonly server: QuicOutcome };
  readonly wire: UdpWire;
}

export interface Visit extends AsyncDisposable {
  readonly client: End;
  readonly outcome: QuicOutcome;
}

export interface Reception extends AsyncDisposable {
  readonly port: number;
  readonly listener: QuicListener;
  /** The end of the first client; rejects if its handshake fails. */
  readonly server: Promise<End>;
}
