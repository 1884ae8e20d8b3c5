export { type DtlsRemoteInfo, DtlsSocket, type DtlsSocketEvents, type DtlsSocketOptions } from "./socket.js";
