import { equal } from "../bytes/index.js";
import { asciiText, Tag } from "./der/index.js";
import type { GeneralName } from "./general-name.js";
import { parseIp } from "./ip.js";
import { srvName } from "./oids.js";

/**
 * Who the peer is to be, RFC 9525 §6.1. A bare string is a host: an IP address or a DNS name, which may be
 * internationalized. A common name is never looked at (§2).
 */
export type ReferenceId =
  | string
  | { readonly kind: "dns"; readonly value: string }
  | { readonly kind: "ip"; readonly value: string | Uint8Array }
  | { readonly kind: "email"; readonly value: string }
  /** Scheme and host count, RFC 9525 §6.5. */
  | { readonly kind: "uri"; readonly value: string }
  /** `_service.domain`, RFC 4985. */
  | { readonly kind: "srv"; readonly value: string };

/** Is this domain one below which anybody may register, such as `co.uk`? Then no wildcard covers it. */
export type IsPublicSuffix = (domain: string) => boolean;

/** Does one of the presented names match the reference identifier? A reference that is no name matches nothing. */
export function matches(
  reference: ReferenceId,
  presented: readonly GeneralName[],
  isPublicSuffix: IsPublicSuffix = likelyPublicSuffix,
): boolean {
  const wanted = typeof reference === "string" ? ({ kind: "dns", value: reference } as const) : reference;
  switch (wanted.kind) {
    case "dns": {
      // RFC 9525 §6.4: an address is never compared with DNS names
      const address = hostAddress(wanted.value);
      if (address) return matchesAddress(address, presented);
      const domain = referenceDomain(wanted.value);
      return domain !== undefined && dnsNames(presented).some((name) => matchesDomain(domain, name, isPublicSuffix));
    }
    case "ip": {
      const address = typeof wanted.value === "string" ? hostAddress(wanted.value) : wanted.value;
      return address !== undefined && matchesAddress(address, presented);
    }
    case "email":
      return matchesMailbox(wanted.value, presented);
    case "uri":
      return matchesUri(wanted.value, presented, isPublicSuffix);
    case "srv":
      return matchesService(wanted.value, presented, isPublicSuffix);
  }
}

/** For people: `dns:example.com`. */
export function referenceText(reference: ReferenceId): string {
  if (typeof reference === "string") return reference;
  const { kind, value } = reference;
  return `${kind}:${typeof value === "string" ? value : value.join(".")}`;
}

/**
 * RFC 9525 §6.3: label by label without regard to case; a wildcard is the whole left-most label, stands for exactly one
 * label, and does not stand directly on a public suffix.
 */
export function matchesDomain(domain: string, presented: string, isPublicSuffix: IsPublicSuffix): boolean {
  if (!isPresentedDomain(presented)) return false;
  const name = presented.toLowerCase();
  if (!name.startsWith("*.")) return name === domain;
  const base = name.slice(2);
  const dot = domain.indexOf(".");
  return dot > 0 && domain.slice(dot + 1) === base && base.includes(".") && !isPublicSuffix(base);
}

/** A dNSName as RFC 5280 §4.2.1.6 and RFC 1034 §3.5 want it: labels of letters, digits and hyphens, or `*.` and those. */
export function isPresentedDomain(name: string): boolean {
  return isDomain(name.startsWith("*.") ? name.slice(2) : name);
}

/** Letters, digits and hyphens in labels of at most 63, at most 253 in all, no dot at either end. */
export function isDomain(name: string): boolean {
  return name.length <= 253 && name.split(".").every((label) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(label));
}

/** Two-letter registries that sell names one level down, by the names which they give that level. */
const secondLevel = new Set(
  "ac co com edu gob gouv gov go gv idf info mil ne net nom or org sch ltd plc me nhs police".split(" "),
);

/**
 * Without a list of public suffixes at hand: single labels, and `co.uk`-like names under country codes. A host that has
 * the list passes its own (RFC 9525 §7.1).
 */
export function likelyPublicSuffix(domain: string): boolean {
  const labels = domain.split(".");
  return labels.length === 1 || (labels.length === 2 && labels[1]!.length === 2 && secondLevel.has(labels[0]!));
}

/** A host of a URI or an authority: brackets around an IPv6 address are taken off, a zone is not part of it. */
function hostAddress(host: string): Uint8Array | undefined {
  const bare = host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
  return parseIp(bare.split("%", 1)[0]!);
}

/** Lower case, A-labels (RFC 9525 §6.2), without the dot that makes a name absolute; undefined if it is no DNS name. */
function referenceDomain(host: string): string | undefined {
  const name = host.endsWith(".") ? host.slice(0, -1) : host;
  const ascii = /[^\0-\x7f]/.test(name) ? toAscii(name) : name.toLowerCase();
  return ascii !== undefined && isDomain(ascii) ? ascii : undefined;
}

function toAscii(name: string): string | undefined {
  if (/[/?#@:\\]/.test(name)) return undefined;
  try {
    return new URL(`http://${name}/`).hostname;
  } catch {
    return undefined;
  }
}

const dnsNames = (presented: readonly GeneralName[]): string[] =>
  presented.flatMap((name) => (name.form === "dNSName" ? [name.text] : []));

const matchesAddress = (address: Uint8Array, presented: readonly GeneralName[]): boolean =>
  presented.some((name) => name.form === "iPAddress" && equal(name.bytes, address));

export interface Mailbox {
  readonly local: string;
  /** Lower case. */
  readonly host: string;
}

/** An ASCII mailbox, RFC 5280 §4.2.1.6: `Local-part@Domain`, the local part a dot-string or quoted (RFC 5321 §4.1.2). */
export function parseMailbox(text: string): Mailbox | undefined {
  const match =
    /^([a-z0-9!#$%&'*+\-/=?^_`{|}~]+(?:\.[a-z0-9!#$%&'*+\-/=?^_`{|}~]+)*|"(?:[ !#-[\]-~]|\\[ -~])*")@([^@]+)$/i.exec(
      text,
    );
  if (!match || match[1]!.length > 64 || !isDomain(match[2]!)) return undefined;
  return { local: match[1]!, host: match[2]!.toLowerCase() };
}

/** RFC 5280 §7.5: the host without regard to case, the local part exactly. */
function matchesMailbox(wanted: string, presented: readonly GeneralName[]): boolean {
  const mailbox = parseMailbox(wanted);
  return (
    mailbox !== undefined &&
    presented.some((name) => {
      const other = name.form === "rfc822Name" ? parseMailbox(name.text) : undefined;
      return other?.local === mailbox.local && other.host === mailbox.host;
    })
  );
}

export interface UriHost {
  /** Lower case. */
  readonly scheme: string;
  /** Lower case; undefined for a URI without an authority, or whose host is an address. */
  readonly host: string | undefined;
}

/** Scheme and host name of a URI, RFC 3986 §3; undefined unless it is an absolute URI. */
export function parseUri(text: string): UriHost | undefined {
  const match = /^([a-z][a-z0-9+.-]*):(?:\/\/(?:[^/?#@]*@)?(\[[^\]]*\]|[^/?#@:]*)(?::\d*)?(?=$|[/?#]))?/i.exec(text);
  if (!match) return undefined;
  const host = match[2]?.toLowerCase();
  const isName = host !== undefined && isDomain(host) && !parseIp(host);
  return { scheme: match[1]!.toLowerCase(), host: isName ? host : undefined };
}

function matchesUri(wanted: string, presented: readonly GeneralName[], isPublicSuffix: IsPublicSuffix): boolean {
  const uri = parseUri(wanted);
  if (!uri?.host) return false;
  return presented.some((name) => {
    const other = name.form === "uniformResourceIdentifier" ? parseUri(name.text) : undefined;
    return (
      other?.host !== undefined && other.scheme === uri.scheme && matchesDomain(uri.host!, other.host, isPublicSuffix)
    );
  });
}

function matchesService(wanted: string, presented: readonly GeneralName[], isPublicSuffix: IsPublicSuffix): boolean {
  const service = splitService(wanted);
  if (!service) return false;
  return presented.some((name) => {
    if (name.form !== "otherName" || name.type !== srvName || name.value.tag !== Tag.ia5String) return false;
    const other = splitService(asciiText(name.value.content) ?? "");
    return other?.service === service.service && matchesDomain(service.domain, other.domain, isPublicSuffix);
  });
}

function splitService(text: string): { service: string; domain: string } | undefined {
  const match = /^(_[a-z0-9-]+)\.(.+)$/i.exec(text);
  return match ? { service: match[1]!.toLowerCase(), domain: match[2]!.toLowerCase() } : undefined;
}
