export type { FileWarning, OpenedDevice, OpenedTunnel, PeerState, TunnelNotice, TunnelState } from "./opened.js";
export type { OpenVpnOptions, OpenVpnTunnel, OpenVpnTunnelOptions } from "./openvpn.js";
export type { OpenVpnDeviceOptions } from "./openvpn-device.js";
export { type PacketTap, PacketTunnel, type PacketTunnelEvent } from "./packet-tunnel.js";
export type { DnsAnswer, DnsCodec, DnsResponse } from "./resolver.js";
export { type StackDriver, StackNetwork } from "./stack-network.js";
export { Tunnel, type TunnelHandlers } from "./tunnel.js";
export { openWireGuard, type WireGuardTunnel, type WireGuardTunnelOptions } from "./wireguard.js";
export { openWireGuardDevice, type WireGuardDevice, type WireGuardDeviceOptions } from "./wireguard-device.js";
