export type { DropReason } from "./counters.js";
export * from "./door.js";
export { type EndpointGround, GquicEndpoint } from "./endpoint/endpoint.js";
export { errorCodes, errorName, type GquicFailure, type GquicReason } from "./failure.js";
export { type KnownServer, type KnownServers, MemoryKnownServers } from "./handshake/known-servers.js";
export type {
  CongestionName,
  GquicClientOptions,
  GquicOptions,
  GquicServerOptions,
  ProofAsk,
  ProofVerdict,
  VerifyServer,
} from "./options.js";
export { gquicProfile } from "./profile.js";
export type {
  GquicListener,
  GquicOutcome,
  GquicSession,
  GquicSink,
  GquicStatistics,
  GquicStream,
  OpenGquicStreamOptions,
} from "./session.js";
export { trust } from "./verify.js";
export type { GquicEvent, GquicInput, GquicMove } from "./vocabulary.js";
export type { GquicVersion } from "./wire/versions.js";
