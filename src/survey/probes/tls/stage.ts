import type { Failure, Host } from "../../../contract/index.js";
import type {
  TlsClientOptions,
  TlsIdentity,
  TlsOutcome,
  TlsServerOptions,
  VerifyPeer,
} from "../../../protocols/tls/index.js";
import type { Wire } from "../../wire.js";
import type { End } from "./end.js";
import type { Openssl } from "./openssl.js";

/** What the probes play on. The tests change one thing of it, and see that the probe notices. */
export interface Stage {
  readonly host: Host;
  readonly authority: Authority;
  /** OpenSSL as the other end, if there is one in PATH. */
  readonly openssl: Openssl | undefined;
  /** Two ends of ours that have shaken hands across the host's loopback, observed on the way. */
  meet(client: TlsClientOptions, server: TlsServerOptions, how?: How): Promise<Meeting>;
  /** Two ends of ours that must not come together: answers what each of them says. */
  clash(client: TlsClientOptions, server: TlsServerOptions): Promise<{ client: Failure; server: Failure }>;
  /** Our client with a server on this port. */
  visit(port: number, client: TlsClientOptions): Promise<Visit>;
  /** Our server, for the next client. */
  receive(server: TlsServerOptions): Promise<Reception>;
}

/** What goes out with the first flight. */
export interface How {
  readonly early?: Uint8Array;
}

export interface Meeting extends AsyncDisposable {
  readonly client: End;
  readonly server: End;
  readonly outcome: { readonly client: TlsOutcome; readonly server: TlsOutcome };
  readonly wire: Wire;
}

export interface Visit extends AsyncDisposable {
  readonly client: End;
  readonly outcome: TlsOutcome;
}

export interface Reception extends AsyncDisposable {
  readonly port: number;
  /** The end of the first client; rejects if its handshake fails. */
  readonly server: Promise<End>;
}

/** An authority that was made for this run, and that nobody else trusts. */
export interface Authority {
  /** DER of its certificate. */
  readonly certificate: Uint8Array;
  /** A P-256 identity for the names; remembered by them, since keys are slow to make. */
  identity(...names: readonly string[]): Promise<TlsIdentity>;
  /** Full validation of a chain and its name, with this authority alone trusted. */
  readonly verify: VerifyPeer;
  /** PEM of an identity, for a program that wants files. */
  pem(...names: readonly string[]): Promise<{ readonly chain: string; readonly key: string }>;
}
