export { type DatagramSocketOptions, type RemoteInfo, TunnelDatagramSocket } from "./datagram-socket.js";
export { type DeviceNetworkOptions, type OpenDeviceNetwork, openDeviceNetwork } from "./device-network.js";
export { type DeviceTunnel, type DeviceTunnelOptions, openDeviceTunnel } from "./device-tunnel.js";
export { dnsCodec } from "./dns-codec.js";
export type { DispatcherClass, FetchInit } from "./fetch.js";
export { metricsServer, openMetrics } from "./metrics.js";
export {
  type AcceptedAddresses,
  OpenTunnel,
  openTunnel,
  type TunnelEvents,
  type TunnelOptions,
} from "./open-tunnel.js";
export { type ConnectionHandler, TunnelServer } from "./server.js";
export type { KeySource } from "./source.js";
export type { TunnelPeerStatus, TunnelStatus } from "./status.js";
export { summarizeTunnelFile, type TunnelSummary } from "./summary.js";
