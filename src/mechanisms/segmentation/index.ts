export * from "./limits.js";
export * from "./merge.js";
export * from "./split.js";
