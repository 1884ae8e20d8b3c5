export { RecordMemory } from "./cache.js";
export { connect, listen, type MinimaltBelow, publish } from "./door.js";
export { type DropCounts, type DropReason, dropReasons, type MinimaltFailure, type MinimaltReason } from "./failure.js";
export { type HostIdentity, hostIdentity, hostSecretSize, type SuiteName, signingKey, suiteNames } from "./keys.js";
export { limits as minimaltLimits } from "./limits.js";
export { MinimaltEndpoint, type MinimaltGround } from "./machine.js";
export type * from "./options.js";
export { minimaltProfile } from "./profile.js";
export type * from "./session.js";
export { type ControllerName, controllerNames } from "./tunnel/controllers.js";
export type * from "./vocabulary.js";
export {
  type HostRecord,
  makeCertificate,
  type RecordProblem,
  type RecordTrust,
  readRecord,
  type ServiceRecord,
} from "./wire/record.js";
