export { type DropCounts, type DropReason, type DtlsFailure, type DtlsReason, dropReasons } from "./failure.js";
export { limits as dtlsLimits } from "./limits.js";
export type * from "./options.js";
export { dtlsProfile } from "./profile.js";
export type * from "./session.js";
