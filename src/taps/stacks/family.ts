import { groups, schemes, suites12, suites13 } from "../../protocols/tls/parameters/index.js";
import { nearest } from "../failure.js";
import { type SecurityInit, type SecurityProtocol, versionsOf } from "../security.js";
import type { ProtocolStack } from "./stack.js";

/** A protocol whose handshake is TLS's: what RFC 9622 §6.3 says means the same in each. */
export interface Family {
  readonly protocol: "TLS" | "DTLS" | "QUIC";
  /** Its versions, best first, each with the cipher suites that it can use. */
  readonly versions: Readonly<Record<string, readonly { readonly name: string }[]>>;
}

export const families = {
  TLS: { protocol: "TLS", versions: { "1.3": suites13, "1.2": suites12 } },
  DTLS: { protocol: "DTLS", versions: { "1.3": suites13, "1.2": suites12 } },
  QUIC: { protocol: "QUIC", versions: { v1: suites13, v2: suites13 } },
} as const satisfies Record<Family["protocol"], Family>;

/** Why a protocol cannot serve these parameters, before any packet: names that it does not know, an identity that is missing. */
export const unfitFor =
  (family: Family): NonNullable<ProtocolStack["unfit"]> =>
  ({ init }, allowed, role) => {
    const { protocol } = family;
    const unknown =
      firstUnknown(protocol, "supportedGroup", init.groups, groupNames) ??
      firstUnknown(protocol, "ciphersuite", init.ciphersuites, suiteNames) ??
      firstUnknown(protocol, "signatureAlgorithm", init.signatureAlgorithms, schemeNames);
    if (unknown !== undefined) return unknown;
    if (versionsFor(family, allowed, init).length === 0) {
      return `no allowed version of ${protocol} has one of the ciphersuites`;
    }
    if (role === "client") return undefined;
    const own = init.protocolOptions?.[protocol] ?? {};
    const hasKey = init.identity !== undefined || (init.preSharedKeys?.length ?? 0) > 0;
    return hasKey || "psks" in own || "identity" in own
      ? undefined
      : `a ${protocol} server needs an identity or a pre-shared key`;
  };

const groupNames: ReadonlySet<string> = new Set(groups.map(({ name }) => name));
const suiteNames: ReadonlySet<string> = new Set([...suites13, ...suites12].map(({ name }) => name));
const schemeNames: ReadonlySet<string> = new Set(schemes.map(({ name }) => name));

function firstUnknown(
  protocol: string,
  parameter: string,
  asked: readonly string[] | undefined,
  known: { has(name: string): boolean; keys(): Iterable<string> },
): string | undefined {
  const wrong = asked?.find((name) => !known.has(name));
  if (wrong === undefined) return undefined;
  const like = nearest(wrong, known.keys());
  return `${protocol} knows no ${parameter} ${wrong}${like === undefined ? "" : `; did you mean ${like}?`}`;
}

/** Versions that are allowed and, where suites were named, have one of them (RFC 9622 §6.3.5). */
export function versionsFor(
  { protocol, versions }: Family,
  allowed: readonly SecurityProtocol[],
  { ciphersuites }: SecurityInit,
): readonly string[] {
  const named = versionsOf(allowed, protocol) ?? Object.keys(versions);
  if (ciphersuites === undefined) return named;
  return named.filter((version) => versions[version]?.some(({ name }) => ciphersuites.includes(name as never)));
}
