export * from "./oid.js";
export * from "./reader.js";
export * from "./strings.js";
export * from "./time.js";
export * as write from "./writer.js";
