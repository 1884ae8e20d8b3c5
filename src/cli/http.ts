import { hqProtocol, http3Protocol } from "../adapters/http3/index.js";
import { clientSecurity } from "../adapters/quic/index.js";
import type { Host } from "../contract/index.js";
import { isPkiFailure, parseCertificate } from "../pki/index.js";
import type { QuicClientOptions, QuicOptions, QuicOutcome, QuicSession, QuicVersion } from "../protocols/quic/index.js";
import { ClientSessionCache, type SessionStore, suites13, type VerifyPeer } from "../protocols/tls/index.js";
import type { SecurityInit } from "../taps/index.js";
import type { Described } from "./describe.js";
import { UsageError } from "./exit.js";
import { securityOf } from "./security.js";
import type { SessionValues } from "./session-options.js";

/** What `quic:` with a path names: an origin, and what is asked of it. */
export interface HttpTarget {
  readonly host: string;
  readonly port: number;
  /** As it stands in `:authority`. */
  readonly authority: string;
  /** Path and query; undefined if the URL ends with the port. */
  readonly path: string | undefined;
}

/** Reads `quic://HOST:PORT/PATH`. Behind a path a query is the path's own. */
export function httpTarget(url: string): HttpTarget {
  const { hostname, port, host, pathname, search, username, hash } = URL.canParse(url.replace(/^quic:/i, "https:"))
    ? new URL(url.replace(/^quic:/i, "https:"))
    : usage(`${url} is not a URL`);
  if (username !== "") throw new UsageError("a URL carries no user name and no password", "sealport help secrets");
  if (hash !== "") throw new UsageError("a fragment is never sent: leave it out");
  const hasPath = /^[a-z]+:\/\/[^/?#]+\//i.test(url);
  return {
    host: hostname.replace(/^\[(.*)\]$/, "$1"),
    port: Number(port || 443),
    authority: host,
    path: hasPath ? pathname + search : undefined,
  };
}

const usage = (message: string): never => {
  throw new UsageError(message, "quic://HOST:PORT/PATH");
};

/** The application protocols that were asked for, of those that carry HTTP. */
export function httpProtocols(values: SessionValues): readonly string[] {
  const asked = values.alpn.flatMap((each) => each.split(","));
  for (const name of asked) {
    if (name !== http3Protocol && name !== hqProtocol) {
      throw new UsageError(`--alpn: ${name} carries no HTTP here`, `${http3Protocol} or ${hqProtocol}`);
    }
  }
  return asked.length > 0 ? asked : [http3Protocol, hqProtocol];
}

/** The options that TLS and QUIC share, in QUIC's words. */
export function quicOptions(values: SessionValues, host: Host): { init: SecurityInit; quic: Partial<QuicOptions> } {
  const versions = values.versions
    .flatMap((each) => each.split(","))
    .map((each): QuicVersion => {
      if (each === "1" || each === "2") return each;
      throw new UsageError(`--versions: QUIC has no version ${each}`, "1 or 2");
    });
  const init = securityOf({ query: {} }, { ...values, versions: [], alpn: [] }, host);
  const suites = suites13.map((each) => each.name).filter((each) => init.ciphersuites?.includes(each));
  if (init.ciphersuites !== undefined && suites.length === 0)
    throw new UsageError("--suites: QUIC has those of TLS 1.3 alone");
  return {
    init,
    quic: {
      ...(versions.length > 0 && { versions }),
      ...(suites.length > 0 && { suites }),
      ...(init.groups !== undefined && { groups: init.groups }),
      ...(init.signatureAlgorithms !== undefined && { signatureSchemes: init.signatureAlgorithms }),
      keyLog: host.keyLog,
      ...(values.timeout !== undefined && { handshakeTimeoutMs: values.timeout }),
    },
  };
}

/** A client's options; `store` keeps sessions. */
export function httpClientOptions(
  values: SessionValues,
  host: Host,
  { host: name }: HttpTarget,
  store: SessionStore | undefined,
): QuicClientOptions {
  const { init, quic } = quicOptions(values, host);
  const [identity] = Array.isArray(init.identity) ? init.identity : [];
  const options = clientSecurity(host, httpProtocols(values), name, {
    ...(Array.isArray(init.trust) && { trust: init.trust }),
    ...(identity !== undefined && { identity }),
    quic,
  });
  return {
    ...options,
    ...(store !== undefined && { sessions: new ClientSessionCache(store) }),
    ...(values["trust-anyone"] && { verify: anyone(host) }),
  };
}

/** --trust-anyone: whoever it is, but with a key that the handshake is checked by. */
const anyone =
  (host: Host): VerifyPeer =>
  ({ certificates: [first] }) => {
    const certificate = first && parseCertificate(first);
    const publicKey =
      certificate === undefined || isPkiFailure(certificate) ? undefined : host.crypto.publicKey(certificate.spki);
    if (publicKey === undefined || first === undefined) throw new UsageError("the peer's certificate cannot be read");
    return { trusted: true, publicKey, peer: { kind: "certificate", chain: [first], publicKey } };
  };

/** What is told of a QUIC session. */
export const describedQuic = ({ local, remote }: QuicSession, outcome: QuicOutcome): Described => ({
  stack: "QUIC/UDP",
  local,
  remote,
  protocol: "QUIC",
  outcome,
});
