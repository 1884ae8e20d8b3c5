export { bind, type DtlsSrtpLayered, over } from "./door.js";
export type { DtlsSrtpReason } from "./failure.js";
export {
  type Fingerprint,
  type FingerprintHash,
  fingerprintOf,
  formatFingerprint,
  parseFingerprint,
  verifyFingerprint,
} from "./fingerprint.js";
export { sessionIdentity } from "./identity.js";
export { type DirectionKeys, exportedSize, exporterLabel, splitKeys } from "./keys.js";
export {
  type DtlsSrtpClientOptions,
  type DtlsSrtpCommon,
  type DtlsSrtpServerOptions,
  defaultProfiles,
} from "./options.js";
export { answerSetup, roleOf, type Setup } from "./roles.js";
export type { DtlsSrtpSession, DtlsSrtpSink } from "./session.js";
