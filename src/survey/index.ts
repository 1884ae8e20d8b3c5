export * from "./probe.js";
export { allProbes } from "./probes/index.js";
export * from "./render.js";
export * from "./report.js";
export * from "./survey.js";
