export { plainCids, type RoutableCidsOptions, routableCids } from "./generators.js";
export { type CidEvent, OwnCids, type OwnCidsOptions } from "./own.js";
export { type PeerCid, PeerCids } from "./peer.js";
export { ResetTokens, resetTokenSize } from "./reset-tokens.js";
