import { DecodeError, toHex } from "../bytes/index.js";
import { DerReader, type Element, inside, stringText, Tag } from "./der/index.js";
import { limits } from "./limits.js";
import { attributeNames } from "./oids.js";

export interface Attribute {
  readonly type: string;
  /** Undefined if the value is not a character string. */
  readonly text: string | undefined;
  readonly value: Element;
}

/** A distinguished name, RFC 5280 §4.1.2.4. */
export interface DistinguishedName {
  readonly rdns: readonly (readonly Attribute[])[];
  readonly raw: Uint8Array;
  /** One string a relative name; equal names, by RFC 5280 §7.1, have equal keys. */
  readonly keys: readonly string[];
  /** All keys in one. */
  readonly key: string;
}

export function readName(reader: DerReader): DistinguishedName {
  const outer = reader.take(Tag.sequence);
  const inner = inside(outer);
  const rdns: Attribute[][] = [];
  while (inner.more) {
    if (rdns.length >= limits.rdnsMax) throw new DecodeError(`more than ${limits.rdnsMax} relative names`);
    rdns.push(readRdn(inner.setOf(limits.rdnsMax)));
  }
  return nameOf(rdns, outer.raw);
}

/** A relative name from the elements of its SET. */
export function readRdn(elements: readonly Element[]): Attribute[] {
  if (elements.length === 0) throw new DecodeError("a relative name without attributes");
  return elements.map((element) => {
    if (element.tag !== Tag.sequence) throw new DecodeError("an attribute that is no SEQUENCE");
    const attribute = new DerReader(element.content, element.depth + 1);
    const type = attribute.oid();
    const value = attribute.next();
    attribute.end();
    return { type, value, text: stringText(value) };
  });
}

export function nameOf(rdns: readonly (readonly Attribute[])[], raw: Uint8Array): DistinguishedName {
  const keys = rdns.map(rdnKey);
  return { rdns, raw, keys, key: keys.join("/") };
}

export const isEmpty = (name: DistinguishedName): boolean => name.rdns.length === 0;

/** All values of an attribute that are text, in the order in which they stand. */
export const textsOf = (name: DistinguishedName, type: string): string[] =>
  name.rdns.flatMap((rdn) => rdn.flatMap((each) => (each.type === type && each.text !== undefined ? [each.text] : [])));

/** Is `name` in the subtree under `base`: does it begin with the base's relative names? */
export const isWithin = (name: DistinguishedName, base: DistinguishedName): boolean =>
  base.keys.length <= name.keys.length && base.keys.every((key, i) => key === name.keys[i]);

/** For people, in the order of RFC 4514: most specific first. */
export function nameText(name: DistinguishedName): string {
  return name.rdns
    .map((rdn) =>
      rdn
        .map(
          ({ type, text, value }) =>
            `${attributeNames[type] ?? type}=${text === undefined ? `#${toHex(value.raw)}` : escaped(text)}`,
        )
        .join("+"),
    )
    .reverse()
    .join(",");
}

/** RFC 5280 §7.1: attributes of one relative name in any order; text folded, anything else as its bytes. */
function rdnKey(rdn: readonly Attribute[]): string {
  return rdn
    .map(({ type, text, value }) => `${type}=${text === undefined ? `#${toHex(value.raw)}` : prepared(text)}`)
    .sort()
    .join("+");
}

/**
 * Preparation for comparison (RFC 4518 §2 as RFC 5280 §7.1 applies it): what is invisible is dropped, compatibility
 * forms and case are folded, white space is one space and none at the ends. Separators of keys are escaped.
 */
function prepared(text: string): string {
  return text
    .replace(/\p{Cf}|\p{Variation_Selector}|\u034f|\ufffc/gu, "")
    .normalize("NFKC")
    .toLowerCase()
    .normalize("NFKC")
    .replace(/[\s\u0085]+/g, " ")
    .trim()
    .replace(/[\\/+=#]/g, "\\$&");
}

const escaped = (text: string): string =>
  text
    .replace(/[,+"\\<>;=]/g, "\\$&")
    // control characters must not reach a terminal
    .replace(/\p{Cc}/gu, (char) => `\\${toHex(Uint8Array.of(char.charCodeAt(0)))}`);
