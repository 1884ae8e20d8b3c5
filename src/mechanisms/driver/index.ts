export type { DriverHandlers, DriverOptions } from "./core.js";
export { DatagramDriver } from "./datagram.js";
export { type SharedListener, SharedPort } from "./shared-port.js";
export { StreamDriver } from "./stream.js";
