export type { PacketSource } from "../../mechanisms/packets/staged.js";
export { hasSameKey } from "./admission.js";
export { answerTls } from "./answers.js";
export { OpenVpnClient } from "./client.js";
export type {
  Challenge,
  Credentials,
  OpenVpnClientConfig,
  OpenVpnClientEvent,
  OpenVpnClientInput,
  OpenVpnStatus,
  OpenVpnTransport,
} from "./client-options.js";
export { type ClientTlsOptions, clientName, clientTls, serverTls } from "./config/identity.js";
export type { Inside } from "./config/inside.js";
export type { ReadNamed } from "./config/lines.js";
export {
  type NameCheck,
  type OvpnFile,
  type OvpnRemote,
  type OvpnWarning,
  parseOvpn,
} from "./config/ovpn.js";
export { type ClientConfiguration, type OvpnServerFile, parseOvpnServer } from "./config/server-file.js";
export {
  type KeyMetadata,
  type ServerControlKey,
  timestampMetadata,
  wrapClientKey,
} from "./control/stateless.js";
export { readClientKey, readServerKey, readStaticKey } from "./control/static-key.js";
export type { ControlKey } from "./control/wrap.js";
export { type DataCipher, dataCipher, dataCiphers, defaultDataCiphers, outerOverhead } from "./data/ciphers.js";
export type { DropCounts, DropReason, OpenVpnFailure, OpenVpnReason } from "./failure.js";
export { failure as openVpnFailure } from "./failure.js";
export type { Admission, Applicant, GuestStatus } from "./guest.js";
export { tunMtuDefault } from "./limits.js";
export { profile } from "./profile.js";
export { OpenVpnServer } from "./server.js";
export type {
  OpenVpnServerAsks,
  OpenVpnServerConfig,
  OpenVpnServerEvent,
  OpenVpnServerInput,
} from "./server-options.js";
