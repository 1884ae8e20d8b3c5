export * from "./path-mtu.js";
