export { QuicConnection, QuicDatagrams } from "./connection.js";
export {
  addressOf,
  type OpenQuicOptions,
  openQuic,
  type QuicServer,
  type ServeQuicOptions,
  serveQuic,
  type Where,
} from "./door.js";
export { clientSecurity, type OriginSecurity, type ServerSecurity, serverSecurity } from "./security.js";
export { QuicDuplex } from "./stream.js";
