export { type AuthenticatedSession, type AuthenticatorOptions, Authenticators } from "./authenticators.js";
export { clientHandshake } from "./client/start.js";
export {
  type ClientConfig,
  type Config,
  clientConfig,
  defaultSuites,
  type Ground,
  type ServerConfig,
  serverConfig,
} from "./config.js";
export { type DelegationOptions, delegationUsage, makeDelegatedCredential } from "./delegated.js";
export { type Below, connect, type Layered, listen, over } from "./door.js";
export { type EchKey, type EchKeyOptions, makeEchKey, writeEchConfigs } from "./ech/config.js";
export type { EchRetry } from "./ech/required.js";
export { alertFailure, reasons, type TlsFailure, type TlsReason, tlsFailure } from "./failure.js";
export { Handshake } from "./handshake/handshake.js";
export type * from "./handshake/questions.js";
export type * from "./handshake/vocabulary.js";
export { handshakeTimeoutMs, limits as tlsLimits } from "./limits.js";
export { type TlsEvent, type TlsInput, TlsMachine, tlsClient, tlsServer } from "./machine.js";
export type * from "./options.js";
export { type AlertName, alertName, alerts } from "./parameters/alerts.js";
export { type Dialect, dialects } from "./parameters/dialect.js";
export * from "./parameters/index.js";
export { tlsProfile } from "./profile.js";
export { serverHandshake } from "./server/start.js";
export { type Reception, receiveStateless } from "./server/stateless.js";
export type * from "./session.js";
export * from "./store/index.js";
export { type Approval, pkiFailure, type TrustOptions, trust } from "./trust.js";
