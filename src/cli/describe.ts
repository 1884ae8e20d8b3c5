import { toHex } from "../bytes/index.js";
import type { Host, PeerIdentity, SocketAddress } from "../contract/index.js";
import { parseCertificate } from "../pki/certificate.js";
import { isPkiFailure } from "../pki/failure.js";
import type { TcpcryptOutcome } from "../protocols/tcpcrypt/index.js";
import type { Connection } from "../taps/index.js";

/** What is told of a session: of a Connection's, or of one that stands alone. */
export interface Described {
  readonly stack: string | undefined;
  readonly local: SocketAddress | undefined;
  readonly remote: SocketAddress | undefined;
  readonly protocol?: string | undefined;
  readonly outcome?: SecurityOutcome | undefined;
}

type SecurityOutcome = NonNullable<NonNullable<Connection["security"]>["outcome"]>;

export const described = ({ stack, localEndpoint, remoteEndpoint, security }: Connection): Described => ({
  stack,
  local: localEndpoint,
  remote: remoteEndpoint,
  protocol: security?.protocol,
  outcome: security?.outcome,
});

/** What a session came to, as the events `connected` and `accepted` say it; docs/json.md has the fields. */
export function description(of: Described, host: Host): Readonly<Record<string, unknown>> {
  const { stack, protocol, outcome } = of;
  const common = { stack, local: addressText(of.local), remote: addressText(of.remote) };
  if (outcome === undefined) return common;
  if ("encrypted" in outcome) return { ...common, protocol, ...tcpcryptOf(outcome) };
  const { version, suite, group, alpn, serverName, mode, roundTrips, earlyData, peer } = outcome;
  return {
    ...common,
    protocol,
    version,
    suite,
    group,
    alpn,
    serverName,
    mode,
    roundTrips,
    earlyData,
    peer: peerOf(peer, host),
  };
}

/** The same in one line for people. */
export function summary({ stack, remote, protocol, outcome }: Described): string {
  const where = addressText(remote);
  if (outcome === undefined) return `${stack} ${where}, without any security`;
  if ("encrypted" in outcome) {
    const { tep, cipher, role, sessionId } = tcpcryptOf(outcome);
    return `${where}: tcpcrypt, ${tep}, ${cipher}, role ${role}, session ID ${sessionId}, peer without proof of who it is`;
  }
  const { version, suite, group, alpn, mode, peer } = outcome;
  const words = [
    version === undefined ? protocol : `${protocol} ${version}`,
    suite,
    group,
    alpn === undefined ? undefined : `alpn ${alpn}`,
    mode,
  ];
  return `${where}: ${words.filter((word) => word !== undefined).join(", ")}, peer ${peerText(peer)}`;
}

/** The session ID is no secret: people compare it to find out whether anybody stands between them (RFC 8548 §8). */
function tcpcryptOf(outcome: TcpcryptOutcome): Readonly<Record<string, unknown>> {
  if (!outcome.encrypted) return { reason: outcome.reason };
  const { tep, cipher, role, resumed, peerAware, sessionId } = outcome;
  return { tep, cipher, role, resumed, peerAware, sessionId: toHex(sessionId) };
}

function peerOf(peer: PeerIdentity | undefined, host: Host): Readonly<Record<string, unknown>> | undefined {
  if (peer === undefined) return undefined;
  const { kind } = peer;
  if (kind === "certificate") {
    const certificate = parseCertificate(peer.chain[0]!);
    const spkiSha256 = toHex(host.crypto.hash("SHA-256").digest(peer.publicKey.spki));
    return {
      kind,
      subject: isPkiFailure(certificate) ? undefined : certificate.text,
      spkiSha256,
      certificates: peer.chain.length,
    };
  }
  if (kind === "raw-public-key")
    return { kind, spkiSha256: toHex(host.crypto.hash("SHA-256").digest(peer.publicKey.spki)) };
  if (kind === "zid") return { kind, zid: toHex(peer.zid) };
  return kind === "pre-shared-key"
    ? { kind, identity: new TextDecoder().decode(peer.identity) }
    : { kind, key: toHex(peer.key) };
}

function peerText(peer: PeerIdentity | undefined): string {
  if (peer === undefined) return "without proof of who it is";
  if (peer.kind === "pre-shared-key") return `by pre-shared key ${new TextDecoder().decode(peer.identity)}`;
  if (peer.kind === "static-key") return `by key ${toHex(peer.key)}`;
  if (peer.kind !== "certificate") return `by ${peer.kind}`;
  const certificate = parseCertificate(peer.chain[0]!);
  return isPkiFailure(certificate) ? "by certificate" : `by certificate ${certificate.text}`;
}

export const addressText = (address: SocketAddress | undefined): string | undefined =>
  address &&
  (address.address.includes(":") ? `[${address.address}]:${address.port}` : `${address.address}:${address.port}`);
