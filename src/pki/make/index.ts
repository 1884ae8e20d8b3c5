export * from "./certificate.js";
export * from "./extensions.js";
export * from "./key.js";
export * from "./name.js";
