export * from "./algorithms.js";
export { seededEntropy } from "./entropy.js";
export { type CryptoReason, misuse } from "./failure.js";
export * from "./hkdf.js";
export * from "./hpke.js";
export { hybrid } from "./hybrid.js";
export { nobleCrypto } from "./noble/index.js";
export * from "./prf.js";
export { type ProviderTables, provider } from "./provider.js";
