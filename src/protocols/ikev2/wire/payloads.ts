import { DecodeError, Reader, Writer } from "../../../bytes/index.js";
import type { TrafficSelector } from "../../esp/index.js";
import { attributesMax, payloadsMax, selectorsMax, spisMax } from "../limits.js";
import { PayloadType } from "./numbers.js";
import { bodySize, type Proposal, readProposals, writeProposals } from "./proposal.js";

/** The payloads by the names and with the fields that RFC 7296 §3 gives them; Encrypted payloads are the protection's. */
export interface PayloadBodies {
  SA: { readonly proposals: readonly Proposal[] };
  KE: { readonly group: number; readonly share: Uint8Array };
  IDi: Identification;
  IDr: Identification;
  CERT: { readonly encoding: number; readonly certificate: Uint8Array };
  /** SHA-1 of the trusted authorities' SubjectPublicKeyInfo, 20 bytes each. */
  CERTREQ: { readonly encoding: number; readonly authorities: Uint8Array };
  AUTH: { readonly method: number; readonly data: Uint8Array };
  Nonce: { readonly nonce: Uint8Array };
  N: NotifyBody;
  D: { readonly protocol: number; readonly spis: readonly Uint8Array[] };
  V: { readonly vendor: Uint8Array };
  TSi: { readonly selectors: readonly TrafficSelector[] };
  TSr: { readonly selectors: readonly TrafficSelector[] };
  CP: { readonly type: number; readonly attributes: readonly CfgValue[] };
  EAP: { readonly message: Uint8Array };
}

export interface Identification {
  readonly type: number;
  readonly data: Uint8Array;
}

export interface NotifyBody {
  readonly type: number;
  readonly protocol?: number;
  readonly spi?: Uint8Array;
  readonly data?: Uint8Array;
}

export interface CfgValue {
  readonly type: number;
  readonly value: Uint8Array;
}

export type PayloadKind = keyof PayloadBodies;
export type Payload = { [K in PayloadKind]: { readonly kind: K } & PayloadBodies[K] }[PayloadKind];
export type PayloadOf<K extends PayloadKind> = Extract<Payload, { readonly kind: K }>;

interface Row<Body> {
  readonly read: (from: Reader) => Body;
  readonly write: (to: Writer, body: Body) => void;
}

/** Those that a nonce's size must lie between (RFC 7296 §2.10). */
const nonceSizes = { min: 16, max: 256 } as const;

const identification: Row<Identification> = {
  read: (from) => {
    const type = from.u8();
    from.u24();
    return { type, data: from.rest() };
  },
  write: (to, { type, data }) => void to.u8(type).u24(0).put(data),
};

const trafficSelectors: Row<PayloadBodies["TSi"]> = {
  read: (from) => {
    const count = from.u8();
    from.u24();
    if (count === 0 || count > selectorsMax) throw new DecodeError(`${count} traffic selectors`);
    const selectors: TrafficSelector[] = [];
    for (let i = 0; i < count; i++) {
      const type = from.u8();
      const protocol = from.u8();
      const inside = from.scope(bodySize(from.u16(), 4));
      const size = addressSizes[type];
      // A kind of selector that is not known selects nothing here (RFC 7296 §3.13.1 leaves room for more).
      if (size === undefined) continue;
      const startPort = inside.u16();
      const endPort = inside.u16();
      selectors.push({ protocol, startPort, endPort, start: inside.take(size), end: inside.take(size) });
      inside.end();
    }
    from.end();
    return { selectors };
  },
  write: (to, { selectors }) => {
    to.u8(selectors.length).u24(0);
    for (const { protocol, startPort, endPort, start, end } of selectors) {
      to.u8(start.length === 4 ? selectorType.ipv4 : selectorType.ipv6)
        .u8(protocol)
        .u16(8 + 2 * start.length);
      to.u16(startPort).u16(endPort).put(start).put(end);
    }
  },
};

/** TS_IPV4_ADDR_RANGE and TS_IPV6_ADDR_RANGE. */
const selectorType = { ipv4: 7, ipv6: 8 } as const;
const addressSizes: Readonly<Record<number, number>> = { [selectorType.ipv4]: 4, [selectorType.ipv6]: 16 };

const rows: { readonly [K in PayloadKind]: Row<PayloadBodies[K]> } = {
  SA: {
    read: (from) => ({ proposals: readProposals(from) }),
    write: (to, { proposals }) => writeProposals(to, proposals),
  },
  KE: {
    read: (from) => {
      const group = from.u16();
      from.u16();
      return { group, share: from.rest() };
    },
    write: (to, { group, share }) => void to.u16(group).u16(0).put(share),
  },
  IDi: identification,
  IDr: identification,
  CERT: {
    read: (from) => ({ encoding: from.u8(), certificate: from.rest() }),
    write: (to, { encoding, certificate }) => void to.u8(encoding).put(certificate),
  },
  CERTREQ: {
    read: (from) => ({ encoding: from.u8(), authorities: from.rest() }),
    write: (to, { encoding, authorities }) => void to.u8(encoding).put(authorities),
  },
  AUTH: {
    read: (from) => {
      const method = from.u8();
      from.u24();
      return { method, data: from.rest() };
    },
    write: (to, { method, data }) => void to.u8(method).u24(0).put(data),
  },
  Nonce: {
    read: (from) => {
      if (from.left < nonceSizes.min || from.left > nonceSizes.max) throw new DecodeError(`a nonce of ${from.left}`);
      return { nonce: from.rest() };
    },
    write: (to, { nonce }) => void to.put(nonce),
  },
  N: {
    read: (from) => {
      const protocol = from.u8();
      const size = from.u8();
      const type = from.u16();
      return { type, protocol, spi: from.take(size), data: from.rest() };
    },
    write: (to, { type, protocol = 0, spi = nothing, data = nothing }) =>
      void to.u8(protocol).u8(spi.length).u16(type).put(spi).put(data),
  },
  D: {
    read: (from) => {
      const protocol = from.u8();
      const size = from.u8();
      const count = from.u16();
      if (count > spisMax || (size === 0 && count > 0)) throw new DecodeError(`${count} SPIs of ${size} bytes`);
      return { protocol, spis: Array.from({ length: count }, () => from.take(size)) };
    },
    write: (to, { protocol, spis }) => {
      to.u8(protocol)
        .u8(spis[0]?.length ?? 0)
        .u16(spis.length);
      for (const spi of spis) to.put(spi);
    },
  },
  V: { read: (from) => ({ vendor: from.rest() }), write: (to, { vendor }) => void to.put(vendor) },
  TSi: trafficSelectors,
  TSr: trafficSelectors,
  CP: {
    read: (from) => {
      const type = from.u8();
      from.u24();
      const attributes: CfgValue[] = [];
      while (from.left > 0) {
        if (attributes.length >= attributesMax) throw new DecodeError("too many attributes");
        attributes.push({ type: from.u16() & 0x7fff, value: from.take(from.u16()) });
      }
      return { type, attributes };
    },
    write: (to, { type, attributes }) => {
      to.u8(type).u24(0);
      for (const { type: attribute, value } of attributes) to.u16(attribute).u16(value.length).put(value);
    },
  },
  EAP: { read: (from) => ({ message: from.rest() }), write: (to, { message }) => void to.put(message) },
};

const kinds = new Map<number, PayloadKind>(
  (Object.keys(rows) as PayloadKind[]).map((kind) => [PayloadType[kind], kind]),
);

const nothing = new Uint8Array(0);
const criticalFlag = 0x80;

/** A payload that is not known and must be (RFC 7296 §2.5). */
export class UnknownCritical extends DecodeError {
  readonly payload: number;

  constructor(payload: number) {
    super(`payload ${payload} is critical and unknown`);
    this.payload = payload;
  }
}

/** What a chain of payloads holds, and the Encrypted payload at its end if there is one. */
export interface Chain {
  readonly payloads: readonly Payload[];
  /** SK or SKF: always the last (RFC 7296 §3.14). */
  readonly sealed: SealedPart | undefined;
}

export interface SealedPart {
  readonly type: typeof PayloadType.SK | typeof PayloadType.SKF;
  /** Type of the first payload inside. */
  readonly first: number;
  /** Of its own header in the bytes. */
  readonly at: number;
}

/**
 * Reads the chain from `at` to the end of the bytes. Unknown payloads are passed over unless they are critical; reserved bits are not
 * looked at. Throws DecodeError for anything else that does not parse.
 */
export function readChain(bytes: Uint8Array, at: number, first: number): Chain {
  const from = new Reader(bytes);
  from.at = at;
  const payloads: Payload[] = [];
  for (let type = first, count = 0; type !== PayloadType.none; count++) {
    if (count >= payloadsMax) throw new DecodeError("too many payloads");
    const start = from.at;
    const next = from.u8();
    const flags = from.u8();
    const inside = from.scope(bodySize(from.u16(), 4));
    if (type === PayloadType.SK || type === PayloadType.SKF) {
      from.end();
      return { payloads, sealed: { type, first: next, at: start } };
    }
    const kind = kinds.get(type);
    if (kind !== undefined) {
      payloads.push({ kind, ...rows[kind].read(inside) } as Payload);
      inside.end();
    } else if ((flags & criticalFlag) !== 0) throw new UnknownCritical(type);
    type = next;
  }
  from.end();
  return { payloads, sealed: undefined };
}

/** The payloads one behind another; `first` is the type of the first of them. */
export function writeChain(payloads: readonly Payload[]): { readonly first: number; readonly bytes: Uint8Array } {
  const to = new Writer();
  for (const [i, payload] of payloads.entries()) {
    const next = payloads[i + 1];
    const body = new Writer();
    (rows[payload.kind].write as (to: Writer, body: unknown) => void)(body, payload);
    to.u8(next === undefined ? PayloadType.none : PayloadType[next.kind])
      .u8(0)
      .u16(4 + body.size);
    to.put(body.view());
  }
  return { first: payloads[0] === undefined ? PayloadType.none : PayloadType[payloads[0].kind], bytes: to.take() };
}

/** The body of a payload by itself, as AUTH covers it (RFC 7296 §2.15). */
export function bodyOf(payload: Payload): Uint8Array {
  const to = new Writer();
  (rows[payload.kind].write as (to: Writer, body: unknown) => void)(to, payload);
  return to.take();
}
