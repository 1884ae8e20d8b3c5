export { type Conditions, fields } from "./conditions.js";
export { asJson } from "./json.js";
export { type Choice, page } from "./page.js";
export { play } from "./play.js";
export type * from "./recording.js";
export { scenes } from "./scenes.js";
export { choiceFrom, explorerServer } from "./server.js";
