export { plainCids, type RoutableCidsOptions, routableCids } from "./cids/index.js";
export { type Below, connect, listen } from "./door.js";
export { type EndpointGround, QuicEndpoint } from "./endpoint/endpoint.js";
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
export type {
  ConnectionEvent,
  ConnectionInput,
  ConnectionNumber,
  QuicAsks,
  QuicEvent,
  QuicInput,
} from "./vocabulary.js";
