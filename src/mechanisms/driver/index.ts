export type { DriverHandlers, DriverOptions } from "./core.js";
export { DatagramDriver } from "./datagram.js";
export { StreamDriver } from "./stream.js";
