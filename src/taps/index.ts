export * from "./candidates.js";
export {
  type EndpointInit,
  type LocalEndpoint,
  type LocalEndpointInit,
  localEndpoint,
  type RemoteEndpoint,
  type RemoteEndpointInit,
  remoteEndpoint,
} from "./endpoint.js";
export {
  CloneError,
  ConnectionError,
  EstablishmentError,
  ReceiveError,
  SendError,
  TapsFailure,
  type TapsReason,
} from "./failure.js";
export * from "./properties.js";
export * from "./security.js";
export * from "./transport-properties.js";
