export { initialRttMsDefault } from "./limits.js";
export type { RecoveryOptions, SentContents } from "./options.js";
export * from "./received.js";
export { Recovery } from "./recovery.js";
export { Sent } from "./sent-packets.js";
