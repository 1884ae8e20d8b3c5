export { type EthernetConfig, EthernetLink, type Frames } from "./link/ethernet.js";
export { Stack, type StackConfig, type StackDrop, type StackEvent, type StackInput } from "./stack.js";
export { TcpConnection } from "./tcp/connection.js";
export type { TcpExtension } from "./tcp/extension.js";
export type { TcpEvent, TcpOptions } from "./tcp/interfaces.js";
export { type ListenOptions, TcpListener } from "./tcp/listener.js";
export type { TcpState } from "./tcp/states.js";
export type { TcpTuple } from "./tcp/tuple-map.js";
export type { UdpSocket } from "./udp/socket.js";
