export { type Below, connect, listen } from "./door.js";
export {
  cryptoError,
  type QuicFailure,
  type QuicReason,
  quicFailure,
  reasons as quicReasons,
  type TransportErrorName,
  transportErrorName,
  transportErrors,
} from "./failure.js";
export type * from "./options.js";
export { quicProfile } from "./profile.js";
export type * from "./session.js";
