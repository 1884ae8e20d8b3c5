export {
  canProtect,
  Encryption,
  type EncryptionRow,
  type EspAlgorithms,
  type EspSuite,
  encryptions,
  espSuite,
  Integrity,
  type IntegrityRow,
  innerSize,
  integrities,
  keySizes,
} from "./algorithms.js";
export type { AssociationPair, EspKeys, Lifetime, LifetimeLimits, TrafficSelector } from "./association.js";
export type { DropCounts, DropReason, EspReason } from "./failure.js";
export type { EspConfig, EspEvent, EspInput, LimitName, PairStatus } from "./interfaces.js";
export { mtuDefault } from "./limits.js";
export { Esp } from "./machine.js";
export { profile } from "./profile.js";
export { selectorOf } from "./selectors.js";
