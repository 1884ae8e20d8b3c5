export { Stack, type StackConfig, type StackDrop, type StackEvent, type StackInput } from "./stack.js";
export { TcpConnection, type TcpEvent, type TcpOptions, type TcpTuple } from "./tcp/connection.js";
export { type ListenOptions, TcpListener } from "./tcp/listener.js";
export type { TcpState } from "./tcp/states.js";
export type { UdpSocket } from "./udp/socket.js";
