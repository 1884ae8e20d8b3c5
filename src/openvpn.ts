export * from "./protocols/openvpn/index.js";
export { listenOpenVpn, type OpenVpnListener, type OpenVpnServerOptions } from "./tunnels/openvpn-server.js";
