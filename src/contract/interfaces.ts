/** The thirteen security interfaces of RFC 8922 §5, in the order of its Table 1. */
export const interfaceNames = [
  "IPK",
  "ALG",
  "EXT",
  "CM",
  "AD",
  "PSKI",
  "IV",
  "SAV",
  "CT",
  "KU",
  "PSKE",
  "KE",
  "ME",
] as const;

export type InterfaceName = (typeof interfaceNames)[number];

/** What the survey says of an interface: its phase, its full name, and its section. */
export interface InterfaceMeaning {
  readonly phase: "before" | "during" | "after";
  readonly title: string;
  readonly section: string;
}

export const interfaceMeanings: Readonly<Record<InterfaceName, InterfaceMeaning>> = {
  IPK: { phase: "before", title: "Identities and Private Keys", section: "5.1" },
  ALG: { phase: "before", title: "Supported Algorithms", section: "5.1" },
  EXT: { phase: "before", title: "Extensions", section: "5.1" },
  CM: { phase: "before", title: "Session Cache Management", section: "5.1" },
  AD: { phase: "before", title: "Authentication Delegation", section: "5.1" },
  PSKI: { phase: "before", title: "Pre-Shared Key Import", section: "5.1" },
  IV: { phase: "during", title: "Identity Validation", section: "5.2" },
  SAV: { phase: "during", title: "Source Address Validation", section: "5.2" },
  CT: { phase: "after", title: "Connection Termination", section: "5.3" },
  KU: { phase: "after", title: "Key Update", section: "5.3" },
  PSKE: { phase: "after", title: "Shared Secret Key Export", section: "5.3" },
  KE: { phase: "after", title: "Key Expiration", section: "5.3" },
  ME: { phase: "after", title: "Mobility Events", section: "5.3" },
};
