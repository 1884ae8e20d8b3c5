export * from "./algorithms.js";
export { seededEntropy } from "./entropy.js";
export { type CryptoReason, misuse } from "./failure.js";
export { hybrid } from "./hybrid.js";
export { type ProviderTables, provider } from "./provider.js";
