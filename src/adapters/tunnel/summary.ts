import { formatPrefix } from "../../bytes/index.js";
import { parseWgQuick } from "../../protocols/wireguard/index.js";
import type { FileWarning } from "../../tunnels/index.js";
import { looksLikeOvpn, looksLikeOvpnServer, looksLikeSwanctl, readTunnelFile, type TunnelFile } from "./source.js";

/** What a tunnel's file says, for people, before anything is opened. */
export interface TunnelSummary {
  readonly protocol: "WireGuard" | "OpenVPN" | "IPsec";
  /** Hosts outside that it leads to. */
  readonly hosts: readonly string[];
  readonly peers: number;
  readonly nameServers: readonly string[];
  readonly routes: readonly string[];
  readonly holdsSecret: boolean;
  readonly warnings: readonly FileWarning[];
}

/** Throws `misuse/bad-configuration` with the line. */
export async function summarizeTunnelFile(source: string | URL): Promise<TunnelSummary> {
  const file = readTunnelFile(source);
  if (looksLikeSwanctl(file.text)) return ofSwanctl(file);
  if (looksLikeOvpnServer(file.text)) return ofOvpnServer(file);
  return looksLikeOvpn(file.text) ? ofOvpn(file) : ofWgQuick(file);
}

function ofWgQuick({ text }: TunnelFile): TunnelSummary {
  const { interface: own, peers, warnings } = parseWgQuick(text);
  return {
    protocol: "WireGuard",
    hosts: peers.flatMap(({ endpoint }) => (endpoint === undefined ? [] : [endpoint.host])),
    peers: peers.length,
    nameServers: own.dns,
    routes: peers.flatMap(({ allowedIps }) => allowedIps.map(formatPrefix)),
    holdsSecret: own.privateKey !== undefined,
    warnings,
  };
}

async function ofOvpn({ text, read }: TunnelFile): Promise<TunnelSummary> {
  const { parseOvpn } = await import("../../protocols/openvpn/index.js");
  const { remotes, inside, key, control, credentials, warnings } = parseOvpn(text, read);
  return {
    protocol: "OpenVPN",
    hosts: remotes.map(({ host }) => host),
    peers: remotes.length,
    nameServers: inside.dns,
    routes: inside.routes.map(formatPrefix),
    holdsSecret: key !== undefined || control.kind !== "none" || typeof credentials === "object",
    warnings,
  };
}

async function ofSwanctl({ text, read }: TunnelFile): Promise<TunnelSummary> {
  const { parseSwanctl } = await import("../../protocols/ikev2/index.js");
  const { remote, warnings, local } = parseSwanctl(text, { read });
  return {
    protocol: "IPsec",
    hosts: [remote.host],
    peers: 1,
    // Both are the gateway's to say.
    nameServers: [],
    routes: [],
    holdsSecret: local.kind === "psk" || local.kind === "certificate",
    warnings,
  };
}

async function ofOvpnServer({ text, read }: TunnelFile): Promise<TunnelSummary> {
  const { parseOvpnServer } = await import("../../protocols/openvpn/index.js");
  const { routes, warnings } = parseOvpnServer(text, read);
  return {
    protocol: "OpenVPN",
    hosts: [],
    peers: 0,
    nameServers: [],
    routes: routes.map(formatPrefix),
    holdsSecret: true,
    warnings,
  };
}
