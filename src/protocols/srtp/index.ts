export type { SrtpContextOptions } from "./context.js";
export type { DropCounts, DropReason, SrtpReason } from "./failure.js";
export type { MasterKey } from "./keys.js";
export { profile } from "./profile.js";
export { defaultProfiles, profileById, profiles, type SrtpProfile, type SrtpProfileName } from "./profiles.js";
export { SrtpSender, type SrtpSenderOptions } from "./protect.js";
export { formatSdes, optionsOf, parseSdes, type SdesCrypto } from "./sdes.js";
export { SrtpReceiver } from "./unprotect.js";
export { looksLikeRtcp, rtpHeaderSize } from "./wire/layout.js";
