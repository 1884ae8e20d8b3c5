export { connect, type DtlsBelow, type DtlsLayered, listen, over } from "./door.js";
export { type DropCounts, type DropReason, type DtlsFailure, type DtlsReason, dropReasons } from "./failure.js";
export { limits as dtlsLimits } from "./limits.js";
export { DtlsEndpoint, type DtlsGround, type EndpointOptions } from "./machine.js";
export type * from "./options.js";
export { dtlsProfile } from "./profile.js";
export type * from "./session.js";
export type { ForeignSink } from "./station.js";
export type * from "./vocabulary.js";
