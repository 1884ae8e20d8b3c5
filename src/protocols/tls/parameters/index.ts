/** What can be known of the handshake without its code: names and numbers. */
export { type Group, type GroupName, groups } from "./groups.js";
export { type Scheme, type SchemeName, schemes } from "./schemes.js";
export { type Suite, type SuiteName, suiteByName } from "./suites.js";
export { type Suite12, suites12 } from "./suites12.js";
export { type Suite13, suites13 } from "./suites13.js";
