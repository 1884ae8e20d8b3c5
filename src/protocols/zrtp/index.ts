export {
  type Algorithms,
  type AuthTagType,
  allAlgorithms,
  type Choice,
  type CipherType,
  defaultAlgorithms,
  type HashType,
  type KeyAgreementType,
  type SasType,
} from "./algorithms.js";
export type { Association } from "./association.js";
export { MemoryZrtpCache, type RetainedSecrets, type ZrtpCache } from "./cache.js";
export { bind, over, type ZrtpLayered } from "./door.js";
export type { ZrtpWarning } from "./events.js";
export type { DropCounts, DropReason, ZrtpReason } from "./failure.js";
export { formatHelloHash, type HelloHash, parseHelloHash } from "./hello-hash.js";
export type { SignatureBlock } from "./messages/confirm.js";
export { zidSize } from "./messages/frame.js";
export type { HelloFlags } from "./messages/hello.js";
export type { ZrtpOptions } from "./options.js";
export type { ZrtpOutcome } from "./outcome.js";
export { profile } from "./profile.js";
export { renderSas, type Sas } from "./sas.js";
export type { Match } from "./secrets.js";
export type { ZrtpSession, ZrtpSink } from "./session.js";
