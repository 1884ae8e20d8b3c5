export type * from "./candidates.js";
export {
  type CloneOptions,
  Connection,
  type Group,
  type SendOptions,
} from "./connection.js";
export type { ConnectionEvents } from "./core.js";
export { type DialOptions, dial, type Handler, preconnectionFor, type Server, serve, type UrlOptions } from "./dial.js";
export {
  type EndpointInit,
  type LocalEndpoint,
  type LocalEndpointInit,
  localEndpoint,
  type RemoteEndpoint,
  type RemoteEndpointInit,
  remoteEndpoint,
} from "./endpoint.js";
export type { ActionOptions, SubscribeOptions } from "./events.js";
export {
  CloneError,
  ConnectionError,
  EstablishmentError,
  ReceiveError,
  SendError,
  TapsFailure,
  type TapsReason,
} from "./failure.js";
export { type Framer, type FramerIo, type LengthPrefixedOptions, lengthPrefixed, type MakeFramer } from "./framer.js";
export { Listener, type ListenerOptions, type ServeOptions } from "./listener.js";
export type { SetResult } from "./live-properties.js";
export { MessageContext, type Received, type ReceiveMetadata } from "./message.js";
export { type RacingTimes, readSystemPolicy, type SystemPolicy } from "./policy.js";
export { Preconnection, type PreconnectionInit } from "./preconnection.js";
export * from "./properties.js";
export type { ReceiveOptions } from "./receiving.js";
export type { ListenerEvents } from "./reception.js";
export type { Rendezvous } from "./rendezvous.js";
export * from "./security.js";
export type {
  PathChange,
  ProtocolStack,
  QuicSecurity,
  SecuritySession,
  SrtpSecurity,
  TlsSecurity,
} from "./stacks/stack.js";
export { protocolStacks } from "./stacks/table.js";
export { type SystemInit, TransportServices } from "./system.js";
export * from "./transport-properties.js";
export { readUrl, type Scheme, type Target, urlSchemes } from "./url.js";
