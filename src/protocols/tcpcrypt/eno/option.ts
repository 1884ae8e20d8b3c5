/** Kind of the option (RFC 8547 §11). */
export const enoKind = 69;

/** A TEP that a host offers, and its suboption data if there are any (RFC 8547 §4.1). */
export interface TepSuboption {
  readonly id: number;
  /** v = 1: data of at least one byte. Undefined for v = 0. */
  readonly data: Uint8Array | undefined;
}

/** A SYN-form ENO option, read or to be written. */
export interface EnoOption {
  /** Passive role bit (§4.2). */
  readonly b: boolean;
  /** Application-aware bit. */
  readonly a: boolean;
  /** In the order of the option; none is a vacuous option (§4.6). */
  readonly teps: readonly TepSuboption[];
}

/** First octets with v = 1 and a glt below 0x20 are length bytes, all below 0x20 global (§4.1, Table 1). */
const [variable, tepFirst, lengthMask] = [0x80, 0x20, 0x1f];
const [bBit, aBit] = [1, 2];

/** Reads what stands behind kind and length; undefined if it is ill-formed, so that encryption must be disabled (§4.4). */
export function readEnoOption(content: Uint8Array): EnoOption | undefined {
  let globals: number | undefined;
  const teps: TepSuboption[] = [];
  for (let at = 0; at < content.length; ) {
    const first = content[at++]!;
    const glt = first & ~variable;
    const isVariable = first >= variable;
    if (!isVariable) {
      // §4.2: all but the first global suboption are ignored; so are the z bits.
      if (glt < tepFirst) globals ??= glt;
      else teps.push({ id: glt, data: undefined });
    } else if (glt < tepFirst) {
      const size = (glt & lengthMask) + 1;
      const tep = content[at];
      if (tep === undefined || tep < (variable | tepFirst) || at + 1 + size > content.length) return undefined;
      teps.push({ id: tep & ~variable, data: content.slice(at + 1, at + 1 + size) });
      at += 1 + size;
    } else {
      // Without a length byte the data go to the end; a TEP with v = 1 and none is taken for what it says.
      teps.push({ id: glt, data: content.slice(at) });
      at = content.length;
    }
  }
  const bits = globals ?? 0;
  return { b: (bits & bBit) !== 0, a: (bits & aBit) !== 0, teps };
}

/** The whole option with kind and length: as it stands in a header, and in the transcript (§4.8). */
export function writeEnoOption({ b, a, teps }: EnoOption): Uint8Array {
  const globals = (b ? bBit : 0) | (a ? aBit : 0);
  const bytes: number[] = [enoKind, 0];
  if (globals !== 0) bytes.push(globals);
  teps.forEach(({ id, data }, i) => {
    if (data === undefined) bytes.push(id);
    else {
      if (i < teps.length - 1) bytes.push(variable | (data.length - 1));
      bytes.push(variable | id, ...data);
    }
  });
  bytes[1] = bytes.length;
  return Uint8Array.from(bytes);
}

/** The non-SYN form of those who have nothing to say in it (§4.1). */
export const enoAcknowledgement: Uint8Array = Uint8Array.of(enoKind, 2);
