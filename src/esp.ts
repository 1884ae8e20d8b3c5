export * from "./protocols/esp/index.js";
export { type EspTunnel, type EspTunnelOptions, openEsp } from "./tunnels/esp.js";
