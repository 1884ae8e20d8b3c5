export { type TcpcryptConfig, type TcpcryptGround, tcpcryptConfig } from "./config.js";
export { connect, listen, type TcpcryptBelow } from "./door.js";
export { type ApplicationAware, type EnoOutcome, Negotiation, type NegotiationConfig } from "./eno/negotiation.js";
export {
  type EnoOption,
  enoAcknowledgement,
  enoKind,
  readEnoOption,
  type TepSuboption,
  writeEnoOption,
} from "./eno/option.js";
export { type EnoReason, enoReasons, type TcpcryptFailure, type TcpcryptReason } from "./failure.js";
export { limits as tcpcryptLimits } from "./limits.js";
export { TcpcryptMachine } from "./machine.js";
export type * from "./options.js";
export { type SymCipher, type SymCipherName, symCiphers, type Tep, type TepName, teps } from "./parameters.js";
export { tcpcryptProfile } from "./profile.js";
export type * from "./session.js";
export { type ImportedSecret, type ResumableSession, sessionScope, TcpcryptSessions } from "./sessions.js";
export type * from "./vocabulary.js";
