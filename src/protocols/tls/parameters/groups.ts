import type { AgreementName } from "../../../contract/index.js";

export interface Group {
  readonly name: GroupName;
  readonly id: number;
  readonly agreement: AgreementName;
  /** May TLS 1.2 use it? Hybrids and nothing else may not. */
  readonly in12: "ECDHE" | "DHE" | undefined;
}

const row = <N extends string, I extends "ECDHE" | "DHE" | undefined>(
  name: N,
  id: number,
  agreement: AgreementName,
  in12: I,
): { name: N; id: number; agreement: AgreementName; in12: I } => ({ name, id, agreement, in12 });

/** NamedGroup: RFC 9846 §4.3.7, RFC 7919, draft-ietf-tls-ecdhe-mlkem; in our order of preference. */
export const groups = [
  row("X25519MLKEM768", 0x11ec, "X25519MLKEM768", undefined),
  row("x25519", 0x001d, "X25519", "ECDHE"),
  row("secp256r1", 0x0017, "P-256", "ECDHE"),
  row("secp384r1", 0x0018, "P-384", "ECDHE"),
  row("secp521r1", 0x0019, "P-521", "ECDHE"),
  row("x448", 0x001e, "X448", "ECDHE"),
  row("SecP256r1MLKEM768", 0x11eb, "SecP256r1MLKEM768", undefined),
  row("SecP384r1MLKEM1024", 0x11ed, "SecP384r1MLKEM1024", undefined),
  row("ffdhe2048", 0x0100, "ffdhe2048", "DHE"),
  row("ffdhe3072", 0x0101, "ffdhe3072", "DHE"),
  row("ffdhe4096", 0x0102, "ffdhe4096", "DHE"),
  row("ffdhe6144", 0x0103, "ffdhe6144", "DHE"),
  row("ffdhe8192", 0x0104, "ffdhe8192", "DHE"),
] as const;

export type GroupName = (typeof groups)[number]["name"];

export const groupById: ReadonlyMap<number, Group> = new Map(groups.map((group) => [group.id, group]));
export const groupByName: ReadonlyMap<string, Group> = new Map(groups.map((group) => [group.name, group]));
