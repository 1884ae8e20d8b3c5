export type { DropCounts, DropReason, WireGuardReason } from "./failure.js";
export type { PacketSource, WireGuardAsks, WireGuardConfig, WireGuardEvent, WireGuardInput } from "./interfaces.js";
export { newKeys, publicKeyOf, type WireGuardKeys } from "./keys.js";
export { transportOverhead } from "./limits.js";
export { WireGuard } from "./machine.js";
export type { PeerConfig, PeerStatus } from "./peer.js";
export { profile } from "./profile.js";
export { parseWgQuick, type WgQuickFile, type WgQuickPeer, type WgQuickWarning } from "./wg-quick.js";
