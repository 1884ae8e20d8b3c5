import { DecodeError, type Reader, type Writer } from "../../../bytes/index.js";
import { proposalsMax, transformsMax } from "../limits.js";

/** One algorithm that is offered or chosen (RFC 7296 §3.3.2). */
export interface TransformChoice {
  readonly type: number;
  readonly id: number;
  /** The Key Length attribute, in bits. */
  readonly keyBits?: number | undefined;
  /** It has attributes that nobody here knows, so it may not be chosen (RFC 7296 §3.3.6). */
  readonly isForeign?: boolean;
}

/** RFC 7296 §3.3.1. */
export interface Proposal {
  readonly number: number;
  readonly protocol: number;
  readonly spi: Uint8Array;
  readonly transforms: readonly TransformChoice[];
}

const more = { proposal: 2, transform: 3 } as const;
const keyLength = 14;
const shortFormat = 0x8000;

export function readProposals(from: Reader): readonly Proposal[] {
  const proposals: Proposal[] = [];
  for (;;) {
    const flag = from.u8();
    from.u8();
    const inside = from.scope(bodySize(from.u16(), 4));
    const number = inside.u8();
    const protocol = inside.u8();
    const spiSize = inside.u8();
    const count = inside.u8();
    const spi = inside.take(spiSize);
    proposals.push({ number, protocol, spi, transforms: readTransforms(inside, count) });
    inside.end();
    if (proposals.length > proposalsMax) throw new DecodeError("too many proposals");
    if (flag === 0) break;
    if (flag !== more.proposal) throw new DecodeError(`${flag} behind a proposal`);
  }
  from.end();
  return proposals;
}

function readTransforms(from: Reader, count: number): readonly TransformChoice[] {
  if (count === 0 || count > transformsMax) throw new DecodeError(`${count} transforms`);
  return Array.from({ length: count }, (_, i) => {
    const flag = from.u8();
    if (flag !== (i === count - 1 ? 0 : more.transform)) throw new DecodeError(`${flag} before a transform`);
    from.u8();
    const inside = from.scope(bodySize(from.u16(), 4));
    const type = inside.u8();
    inside.u8();
    const id = inside.u16();
    let keyBits: number | undefined;
    let isForeign = false;
    while (inside.left > 0) {
      const attribute = inside.u16();
      const value = inside.u16();
      if (attribute === (shortFormat | keyLength) && keyBits === undefined) keyBits = value;
      else {
        isForeign = true;
        if ((attribute & shortFormat) === 0) inside.take(value);
      }
    }
    return { type, id, ...(keyBits !== undefined && { keyBits }), ...(isForeign && { isForeign }) };
  });
}

export function writeProposals(to: Writer, proposals: readonly Proposal[]): void {
  for (const [i, { number, protocol, spi, transforms }] of proposals.entries()) {
    const size = 8 + spi.length + transforms.reduce((sum, each) => sum + transformSize(each), 0);
    to.u8(i === proposals.length - 1 ? 0 : more.proposal)
      .u8(0)
      .u16(size);
    to.u8(number).u8(protocol).u8(spi.length).u8(transforms.length).put(spi);
    for (const [j, each] of transforms.entries()) {
      to.u8(j === transforms.length - 1 ? 0 : more.transform)
        .u8(0)
        .u16(transformSize(each));
      to.u8(each.type).u8(0).u16(each.id);
      if (each.keyBits !== undefined) to.u16(shortFormat | keyLength).u16(each.keyBits);
    }
  }
}

const transformSize = ({ keyBits }: TransformChoice): number => (keyBits === undefined ? 8 : 12);

/** Bytes behind the first four, which the length field of a substructure counts too. */
export function bodySize(length: number, head: number): number {
  if (length < head) throw new DecodeError(`a length of ${length}`);
  return length - head;
}
