export { type Destination, type Dialer, type DialerOptions, dialer } from "./dialer.js";
export { FileSessionStore } from "./file-sessions.js";
export { httpAgent } from "./http-agent.js";
export { pgStream } from "./pg.js";
export { ConnectionSocket, nodeError, type OpenConnection, toSocket } from "./socket.js";
export { systemServices } from "./system.js";
export * from "./tunnel/index.js";
export { type UndiciDestination, undiciConnector } from "./undici.js";
export { toWebStreams, type WebStreams } from "./web-streams.js";
