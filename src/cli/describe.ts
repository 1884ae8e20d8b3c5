import { toHex } from "../bytes/index.js";
import type { Host, PeerIdentity, SocketAddress } from "../contract/index.js";
import { parseCertificate } from "../pki/certificate.js";
import { isPkiFailure } from "../pki/failure.js";
import type { Connection } from "../taps/index.js";

/** What a Connection came to, as the event `connected` says it; docs/json.md has the fields. */
export function description(connection: Connection, host: Host): Readonly<Record<string, unknown>> {
  const { security, stack } = connection;
  const common = {
    stack,
    local: addressText(connection.localEndpoint),
    remote: addressText(connection.remoteEndpoint),
  };
  const outcome = security?.outcome;
  if (outcome === undefined) return common;
  const { version, suite, group, alpn, serverName, mode, roundTrips, earlyData, peer } = outcome;
  return {
    ...common,
    protocol: security?.protocol,
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
export function summary(connection: Connection): string {
  const outcome = connection.security?.outcome;
  const where = addressText(connection.remoteEndpoint);
  if (outcome === undefined) return `${connection.stack} ${where}, without any security`;
  const { version, suite, group, alpn, mode, peer } = outcome;
  const words = [
    version === undefined ? connection.security?.protocol : `${connection.security?.protocol} ${version}`,
    suite,
    group,
    alpn === undefined ? undefined : `alpn ${alpn}`,
    mode,
  ];
  return `${where}: ${words.filter((word) => word !== undefined).join(", ")}, peer ${peerText(peer)}`;
}

export function peerOf(peer: PeerIdentity | undefined, host: Host): Readonly<Record<string, unknown>> | undefined {
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
