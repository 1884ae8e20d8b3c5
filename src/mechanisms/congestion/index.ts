export * from "./bbr.js";
export * from "./controller.js";
export * from "./cubic.js";
export * from "./new-reno.js";
export * from "./rtt.js";
