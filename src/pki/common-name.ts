import type { Certificate } from "./certificate.js";
import { textsOf } from "./distinguished-name.js";
import { ipText, parseIp } from "./ip.js";
import { isDomain } from "./names.js";
import { attributes } from "./oids.js";

/**
 * CA/Browser Forum BR §7.1.4.3: a common name is a character-for-character copy of one of the alternative names; an
 * address is written as RFC 3986 and RFC 5952 do. Nobody is identified by a common name here, but people read it, and old
 * programs look at it, so one that says something else than the alternative names is refused: another spelling of one
 * of them, or a host outside of them. What is no host at all ("Acme payroll"), a domain above a listed name
 * (`example.com` beside `*.example.com`), and names outside the public DNS, of which the Requirements do not speak, pass.
 */
export function checkCommonName({ subject, extensions }: Certificate): string | undefined {
  const names = textsOf(subject, attributes.commonName);
  if (names.length > 1) return "more than one common name";
  const [name] = names;
  if (name === undefined) return undefined;
  const alternatives = extensions.subjectAltName ?? [];
  const domains = alternatives.flatMap((each) => (each.form === "dNSName" ? [each.text] : []));
  const addresses = alternatives.flatMap((each) => (each.form === "iPAddress" ? [ipText(each.bytes)] : []));
  if (domains.includes(name) || addresses.includes(name)) return undefined;
  const wrong = `the common name ${JSON.stringify(name.slice(0, 80))} is not one of the alternative names`;

  const address = looseAddress(name);
  if (address !== undefined) return addresses.includes(address) ? `${wrong}, only spelt another way` : undefined;
  const lower = name.toLowerCase();
  if (domains.some((domain) => domain.toLowerCase() === lower)) return `${wrong}, only in other letters`;
  if (domains.length === 0 || !name.includes(".") || /\s/.test(name)) return undefined;
  if (/[^\0-\x7f]/.test(name)) return `${wrong}; a domain is written in A-labels`;
  if (!isDomain(name.replace(/^\*\./, ""))) return undefined;
  const isAbove = domains.some((domain) => domain.toLowerCase().endsWith(`.${lower}`));
  return isAbove || [lower, ...domains].some(isSpecialUse) ? undefined : wrong;
}

/** An address in any of the spellings that old resolvers take: hexadecimal, octal, fewer parts, any case. In its canonical one. */
function looseAddress(text: string): string | undefined {
  if (text.includes(":")) {
    const bytes = parseIp(text);
    return bytes && ipText(bytes);
  }
  const parts = text.split(".");
  if (parts.length > 4 || !parts.every((part) => /^(0x[0-9a-f]+|\d+)$/i.test(part))) return undefined;
  const decimal =
    parts.length === 4 ? parseIp(parts.map((part) => part.replace(/^0+(?=\d)/, "")).join(".")) : undefined;
  if (decimal) return ipText(decimal);
  const numbers = parts.map((part) => (/^0\d/.test(part) ? Number.parseInt(part, 8) : Number(part)));
  const last = numbers.pop()!;
  const room = 256 ** (4 - numbers.length);
  if (numbers.some((number) => !(number < 256)) || !(last < room)) return undefined;
  const value = numbers.reduce((sum, number, i) => sum + number * 256 ** (3 - i), last);
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");
}

/** Top-level names that are not in the public DNS, RFC 6761 and RFC 8375. */
const specialUse = new Set([
  "localhost",
  "local",
  "test",
  "invalid",
  "internal",
  "lan",
  "home",
  "corp",
  "arpa",
  "onion",
]);

/** Not a name of the public DNS. (`example` and its like are registered, and documents use them as if they were real.) */
function isSpecialUse(domain: string): boolean {
  const labels = domain.toLowerCase().split(".");
  return labels.length === 1 || specialUse.has(labels.at(-1)!);
}
