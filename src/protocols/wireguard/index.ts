export type { DropCounts, DropReason, WireGuardReason } from "./failure.js";
export { transportOverhead } from "./limits.js";
export {
  type PacketSource,
  WireGuard,
  type WireGuardAsks,
  type WireGuardConfig,
  type WireGuardEvent,
  type WireGuardInput,
} from "./machine.js";
export type { PeerConfig, PeerStatus } from "./peer.js";
export { profile } from "./profile.js";
export { parseWgQuick, type WgQuickFile, type WgQuickPeer, type WgQuickWarning } from "./wg-quick.js";
