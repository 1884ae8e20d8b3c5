import { DecodeError } from "../../bytes/index.js";

/** Dotted text of an object identifier's content octets; arcs in their shortest form (X.690 §8.19). */
export function oidText(content: Uint8Array): string {
  if (content.length === 0 || content.length > oidOctetsMax) throw new DecodeError("an OID of no or too many octets");
  const arcs: string[] = [];
  let value = 0;
  let octets = 0;
  for (const octet of content) {
    if (octets === 0 && octet === 0x80) throw new DecodeError("an OID arc not in its shortest form");
    // seven arcs of seven bits stay below 2^53
    if (++octets > 7) throw new DecodeError("an OID arc above 2^49");
    value = value * 128 + (octet & 0x7f);
    if (octet & 0x80) continue;
    if (arcs.length === 0) {
      const root = Math.min(2, Math.floor(value / 40));
      arcs.push(String(root), String(value - 40 * root));
    } else arcs.push(String(value));
    value = octets = 0;
  }
  if (octets !== 0) throw new DecodeError("an OID is cut off");
  return arcs.join(".");
}

/** Content octets of dotted text; throws TypeError unless it is an object identifier. */
export function oidContent(text: string): Uint8Array {
  const arcs = text.split(".").map(Number);
  const [root, second, ...others] = arcs;
  if (!/^\d+(\.\d+)+$/.test(text) || root! > 2 || (root! < 2 && second! > 39)) throw new TypeError(`${text} is no OID`);
  const octets: number[] = [];
  for (const arc of [root! * 40 + second!, ...others]) {
    const groups = [arc % 128];
    for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) groups.unshift((rest % 128) | 0x80);
    octets.push(...groups);
  }
  return Uint8Array.from(octets);
}

const oidOctetsMax = 128;
