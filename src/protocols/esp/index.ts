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
  integrities,
  keySizes,
} from "./algorithms.js";
export type { AssociationPair, EspKeys, Lifetime, LifetimeLimits, TrafficSelector } from "./association.js";
export { profile } from "./profile.js";
