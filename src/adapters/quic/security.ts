import type { Host, Identity, PeerIdentity } from "../../contract/index.js";
import { createVerifier, pinOf } from "../../pki/index.js";
import type { QuicClientOptions, QuicServerOptions } from "../../protocols/quic/index.js";
import {
  ClientSessionCache,
  type SessionStore,
  StrikeRegister,
  TicketKeyRing,
  trust,
} from "../../protocols/tls/index.js";

/** Who the server is, and who we are to it. */
export interface OriginSecurity {
  /** Certificates (DER) of authorities to trust instead of the host's own. */
  readonly trust?: readonly Uint8Array[];
  /** Public keys (DER SPKI), one of which must be in the server's chain. */
  readonly pins?: readonly Uint8Array[];
  /** The application's word after the chain is valid; false refuses. */
  readonly verify?: (peer: PeerIdentity) => boolean | Promise<boolean>;
  /** The name to ask for and to verify, if it is not the URL's host. */
  readonly serverName?: string;
  /** For servers that ask who we are. */
  readonly identity?: Identity;
  /** Keeps sessions, so that the next connection is resumed, and its harmless requests leave as 0-RTT. */
  readonly sessions?: SessionStore;
  /** Whatever else QUIC lets one choose; it goes above what is said here. */
  readonly quic?: Partial<QuicClientOptions>;
}

/** The options of a QUIC client that this stands for. */
export function clientSecurity(
  host: Host,
  alpn: readonly string[],
  name: string,
  { trust: anchors, pins, verify, serverName = name, identity, sessions, quic }: OriginSecurity,
): QuicClientOptions {
  const verifier = createVerifier({
    provider: host.crypto,
    anchors: anchors ?? host.roots(),
    ...(pins !== undefined && { pins: pins.map((spki) => pinOf(host.crypto, spki)) }),
  });
  return {
    alpn,
    serverName,
    verify: trust(verifier, {
      ...(verify !== undefined && {
        also: ({ chain, publicKey }) => verify({ kind: "certificate", chain: chain.map(({ raw }) => raw), publicKey }),
      }),
    }),
    ...(identity !== undefined && { identity }),
    ...(sessions !== undefined && { sessions: new ClientSessionCache(sessions), earlyData: true }),
    ...quic,
  };
}

/** Who a server is, and what it takes. */
export interface ServerSecurity {
  readonly identity: Identity;
  /** Take 0-RTT? An attacker may replay it: only for handlers that know of `early`. Default false. */
  readonly earlyData?: boolean;
  /** Whatever else QUIC lets one choose; it goes above what is said here. */
  readonly quic?: Partial<QuicServerOptions>;
}

/** The options of a QUIC server that this stands for. */
export function serverSecurity(
  host: Host,
  alpn: readonly string[],
  { identity, earlyData = false, quic }: ServerSecurity,
): QuicServerOptions {
  return {
    alpn,
    identity,
    tickets: new TicketKeyRing({ crypto: host.crypto, entropy: host.entropy }),
    // The keys of its tickets are as new as the register: nothing from before can be replayed (RFC 9846 §8.2).
    ...(earlyData && { earlyData, antiReplay: new StrikeRegister(host.now() - registerAgeMs) }),
    ...quic,
  };
}

/** More than tickets' clocks may differ by. */
const registerAgeMs = 60_000;
