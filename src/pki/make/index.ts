export * from "./certificate.js";
export * from "./crl.js";
export * from "./extensions.js";
export * from "./key.js";
export * from "./name.js";
export * from "./ocsp.js";
