export { type CacheScope, ClientSessionCache, ServerSessionCache, sealedStore } from "./cache.js";
export { MemorySessionStore } from "./memory.js";
export {
  type ClientSession,
  decodeClientSession,
  decodeSession,
  encodeClientSession,
  encodeSession,
  expiryOf,
  type RememberedPeer,
  type ResumableSession,
} from "./session.js";
export type { Eventually, SessionStore, StoredSession } from "./store.js";
export { type EarlyDataOffer, type EarlyDataVerdict, StrikeRegister, type StrikeRegisterOptions } from "./strikes.js";
export { type TicketKey, TicketKeyRing, type TicketKeyRingOptions } from "./tickets.js";
