import { Failure } from "./failure.js";
import type { InterfaceName } from "./interfaces.js";
import type { Service } from "./service.js";

/** A protocol's place in the survey. Configuration types, session methods, guards and Table 1 derive from it. */
export interface Profile {
  /** The row's name as the survey prints it. */
  readonly protocol: ProtocolName;
  /** Section of RFC 8922 §3 that describes it, and the group that section is in. */
  readonly section: string;
  readonly group: "payload" | "application-specific" | "transport" | "packet";
  /** Filled cells of Table 1 (draft-ietf-taps-transport-security-11). */
  readonly interfaces: readonly InterfaceName[];
  /** Cells that the table leaves blank and later specifications fill, each with its ground. */
  readonly beyond: Readonly<Partial<Record<InterfaceName, string>>>;
  /** What it runs over: any one of these. */
  readonly needs: readonly Service[];
  readonly offers: Service;
}

/** Rows of Table 1 in the survey's order, then the two protocols that it describes but gives no row. */
export const tableRows = [
  "TLS",
  "DTLS",
  "ZRTP",
  "QUIC",
  "tcpcrypt",
  "MinimaLT",
  "CurveCP",
  "IKEv2",
  "ESP",
  "WireGuard",
  "OpenVPN",
] as const;
export const rowlessProtocols = ["SRTP", "gQUIC"] as const;

export type TableRow = (typeof tableRows)[number];
export type ProtocolName = TableRow | (typeof rowlessProtocols)[number];

/** Table 1 itself. It is the contract: a profile whose row differs fails the suite. */
export const tableOne: Readonly<Record<TableRow, readonly InterfaceName[]>> = {
  TLS: ["IPK", "ALG", "EXT", "CM", "PSKI", "IV", "CT", "KU", "PSKE"],
  DTLS: ["IPK", "ALG", "EXT", "CM", "PSKI", "IV", "SAV", "CT", "KU", "PSKE"],
  ZRTP: ["IPK", "ALG", "CM", "PSKI", "IV", "CT"],
  QUIC: ["IPK", "ALG", "EXT", "CM", "PSKI", "IV", "SAV", "CT", "KU", "ME"],
  tcpcrypt: ["ALG", "CM", "AD", "PSKI", "CT", "KU", "PSKE"],
  MinimaLT: ["IPK", "ALG", "CM", "PSKI", "IV", "CT", "KU", "PSKE", "ME"],
  CurveCP: ["IPK", "IV", "ME"],
  IKEv2: ["IPK", "ALG", "AD", "PSKI", "IV", "SAV", "CT", "KU", "PSKE", "ME"],
  ESP: ["PSKI", "KE"],
  WireGuard: ["IPK", "PSKI", "IV", "SAV", "ME"],
  OpenVPN: ["IPK", "ALG", "PSKI", "IV", "CT", "PSKE"],
};

/** The failure for a cell that the protocol does not have. */
export function unsupported(protocol: ProtocolName, cell: InterfaceName): Failure<"unsupported"> {
  return new Failure({
    fault: "misuse",
    reason: "unsupported",
    protocol,
    at: `${protocol}/${cell}`,
    message: `${protocol} does not expose ${cell}`,
    hint: "Table 1 of RFC 8922 leaves this cell blank; `sealport survey` lists what each protocol exposes",
  });
}

/** Throws `unsupported` unless the profile fills the cell, by the table or beyond it. */
export function requireInterface(profile: Profile, cell: InterfaceName): void {
  if (!profile.interfaces.includes(cell) && profile.beyond[cell] === undefined) {
    throw unsupported(profile.protocol, cell);
  }
}
