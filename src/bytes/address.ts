/**
 * Reads an IPv4 or IPv6 address in text form into 4 or 16 bytes; undefined if it is neither. No zones, no prefix
 * lengths, no leading zeros in IPv4 (RFC 6943 §3.1.1).
 */
export function parseAddress(text: string): Uint8Array | undefined {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

/** 4 or 6, or undefined if the text is no address. */
export function addressFamily(text: string): 4 | 6 | undefined {
  const bytes = parseAddress(text);
  return bytes === undefined ? undefined : bytes.length === 4 ? 4 : 6;
}

/** The canonical text of 4 or 16 bytes (RFC 5952 for IPv6). */
export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push((bytes[i]! << 8) | bytes[i + 1]!);
  const gap = longestZeroRun(groups);
  const hex = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(":");
  // RFC 5952 §5: IPv4-mapped addresses keep their dotted form.
  if (gap?.at === 0 && gap.size === 5 && groups[5] === 0xffff) return `::ffff:${bytes.subarray(12).join(".")}`;
  return gap === undefined ? hex(0, 8) : `${hex(0, gap.at)}::${hex(gap.at + gap.size, 8)}`;
}

function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  const bytes = new Uint8Array(4);
  for (const [i, part] of parts.entries()) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return undefined;
    bytes[i] = Number(part);
  }
  return bytes;
}

function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = groupsOf(halves[0]!, halves.length === 1);
  const tail = halves.length === 2 ? groupsOf(halves[1]!, true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const bytes = new Uint8Array(16);
  for (const [i, group] of head.entries()) write(bytes, i, group);
  for (const [i, group] of tail.entries()) write(bytes, i + head.length + missing, group);
  return bytes;
}

/** The 16-bit groups of one side of `::`; the last may be dotted IPv4 where it ends the address. */
function groupsOf(text: string, mayEndDotted: boolean): number[] | undefined {
  if (text === "") return [];
  const parts = text.split(":");
  const groups: number[] = [];
  for (const [i, part] of parts.entries()) {
    if (mayEndDotted && i === parts.length - 1 && part.includes(".")) {
      const dotted = parseIpv4(part);
      if (dotted === undefined) return undefined;
      groups.push((dotted[0]! << 8) | dotted[1]!, (dotted[2]! << 8) | dotted[3]!);
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return groups;
}

function write(bytes: Uint8Array, group: number, value: number): void {
  bytes[2 * group] = value >> 8;
  bytes[2 * group + 1] = value & 0xff;
}

/** The first of the longest runs of two or more zero groups (RFC 5952 §4.2). */
function longestZeroRun(groups: readonly number[]): { at: number; size: number } | undefined {
  let best: { at: number; size: number } | undefined;
  for (let at = 0; at < groups.length; at++) {
    let size = 0;
    while (groups[at + size] === 0) size++;
    if (size > 1 && size > (best?.size ?? 1)) best = { at, size };
    at += size;
  }
  return best;
}
