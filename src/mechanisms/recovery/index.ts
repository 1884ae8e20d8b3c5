export { initialRttMsDefault } from "./limits.js";
export * from "./received.js";
export { Recovery, type RecoveryOptions, type SentContents } from "./recovery.js";
export { Sent } from "./sent-packets.js";
