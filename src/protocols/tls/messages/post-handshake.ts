import { bytes, type Of, struct, u8, u32 } from "../../../bytes/index.js";
import { extensions } from "./extensions.js";

/** NewSessionTicket, RFC 9846 §4.7.1. */
export const newSessionTicket = struct({
  lifetimeSeconds: u32,
  ageAdd: u32,
  nonce: bytes(1),
  ticket: bytes(2, { min: 1 }),
  extensions: extensions("NST"),
});
export type NewSessionTicket = Of<typeof newSessionTicket>;

/** KeyUpdate, §4.7.3: 0 or 1. */
export const keyUpdate = u8;
export const updateRequested = 1;
export const updateNotRequested = 0;
