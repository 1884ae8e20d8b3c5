export * from "./adapters/quic/index.js";
export * from "./protocols/quic/index.js";
