export * from "./profile.js";
