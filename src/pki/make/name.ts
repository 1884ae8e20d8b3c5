import { write } from "../der/index.js";
import { parseIp } from "../ip.js";
import { attributeNames } from "../oids.js";

/** A distinguished name for making: short names or dotted types, one attribute a relative name, in order. */
export type NameSpec =
  | string
  | readonly (readonly [type: string, value: string])[]
  | { readonly [type: string]: string };

const typeOf = new Map(Object.entries(attributeNames).map(([oid, name]) => [name, oid]));
/** Attribute types whose values are not UTF8String, RFC 5280 §A.1. */
const printable = new Set(["C", "serialNumber", "dnQualifier"]);
const ia5 = new Set(["DC", "emailAddress"]);

/**
 * DER of a name. As text it is written most general first, the way it stands in the certificate: `C=SE, O=Acme,
 * CN=example.com`; a comma within a value is written `\,`. An empty string is the empty name.
 */
export function makeName(spec: NameSpec): Uint8Array {
  const pairs = typeof spec === "string" ? parsePairs(spec) : Array.isArray(spec) ? spec : Object.entries(spec);
  return write.sequence(...pairs.map(([type, value]) => write.setOf(makeAttribute(type, value))));
}

export function makeAttribute(type: string, value: string): Uint8Array {
  const oid = typeOf.get(type) ?? type;
  const string = printable.has(type) ? write.printableString : ia5.has(type) ? write.ia5String : write.utf8String;
  return write.sequence(write.oid(oid), string(value));
}

function parsePairs(text: string): (readonly [string, string])[] {
  if (text.trim() === "") return [];
  return text.split(/(?<!\\),/).map((part) => {
    const at = part.indexOf("=");
    if (at < 1) throw new TypeError(`${part} is no attribute: write CN=example.com`);
    return [
      part.slice(0, at).trim(),
      part
        .slice(at + 1)
        .trim()
        .replaceAll("\\,", ","),
    ] as const;
  });
}

/** A subject alternative name for making. Text is an IP address, an e-mail address, a URI or a DNS name by its looks. */
export type AlternativeNameSpec =
  | string
  | { readonly dns: string }
  | { readonly ip: string | Uint8Array }
  | { readonly email: string }
  | { readonly uri: string }
  | { readonly directory: NameSpec }
  | { readonly other: { readonly type: string; readonly value: Uint8Array } }
  | { readonly registeredId: string };

export function makeGeneralName(spec: AlternativeNameSpec): Uint8Array {
  if (typeof spec === "string") return makeGeneralName(guess(spec));
  if ("dns" in spec) return write.implicit(2, text(spec.dns));
  if ("email" in spec) return write.implicit(1, text(spec.email));
  if ("uri" in spec) return write.implicit(6, text(spec.uri));
  if ("directory" in spec) return write.explicit(4, makeName(spec.directory));
  if ("other" in spec) return write.explicit(0, write.oid(spec.other.type), write.explicit(0, spec.other.value));
  if ("registeredId" in spec) return write.implicit(8, write.oid(spec.registeredId).subarray(2));
  return write.implicit(7, typeof spec.ip === "string" ? ipBytes(spec.ip) : spec.ip);
}

/** A subtree for name constraints: like a name, but an IP address has its prefix: `10.0.0.0/8`. */
export function makeSubtree(spec: AlternativeNameSpec): Uint8Array {
  const range = typeof spec === "string" ? spec : "ip" in spec && typeof spec.ip === "string" ? spec.ip : undefined;
  const slash = range?.match(/^([0-9a-f.:]+)\/(\d+)$/i);
  if (!slash) return write.sequence(makeGeneralName(spec));
  const address = ipBytes(slash[1]!);
  const mask = address.map((_, i) => 0xff << (8 - Math.max(0, Math.min(8, Number(slash[2]) - 8 * i))));
  const bytes = new Uint8Array(address.length * 2);
  bytes.set(address.map((octet, i) => octet & mask[i]!));
  bytes.set(mask, address.length);
  return write.sequence(write.implicit(7, bytes));
}

function guess(name: string): Exclude<AlternativeNameSpec, string> {
  if (parseIp(name)) return { ip: name };
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(name)) return { uri: name };
  return name.includes("@") ? { email: name } : { dns: name };
}

function ipBytes(address: string): Uint8Array {
  const bytes = parseIp(address);
  if (!bytes) throw new TypeError(`${address} is no IP address`);
  return bytes;
}

/** Latin-1, so that tests can write what is not an IA5String. */
const text = (value: string): Uint8Array => Uint8Array.from(value, (char) => char.charCodeAt(0));
