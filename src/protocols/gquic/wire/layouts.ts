import { varintAt, varintSpan } from "../../../bytes/index.js";
import { cidSize, type HeaderPlan, type HeaderView, Level, nonceSize, type Writer } from "./header.js";
import { putU32, u32At } from "./numbers.js";

/** How the packets of some versions look: one row each. */
export interface Layout {
  /** Reads a header of `writer`'s in `bytes[at … end)`. False: it is none. */
  read(view: HeaderView, bytes: Uint8Array, at: number, end: number, writer: Writer): boolean;
  /** Bytes that a header takes, its number included. */
  size(plan: HeaderPlan): number;
  /** Writes all but the number, whose size it settles in the plan. */
  put(plan: HeaderPlan, into: Uint8Array, at: number): void;
}

/** Flags of a public header (QUIC-Wire-Layout, "Public Packet Header"). */
const Flag = { version: 0x01, reset: 0x02, nonce: 0x04, cid: 0x08, size: 0x30, reserved: 0xc0 } as const;
const publicSizes = [1, 2, 4, 6] as const;
const publicCodes = { 1: 0x00, 2: 0x10, 4: 0x20 } as const;

const publicLayout: Layout = {
  read(view, bytes, at, end, writer) {
    const flags = bytes[at]!;
    if (at >= end || (flags & Flag.reserved) !== 0) return false;
    begin(view, end);
    let next = at + 1;
    if ((flags & Flag.cid) !== 0) {
      view.cidAt = next;
      next += cidSize;
    }
    if ((flags & Flag.reset) !== 0) {
      view.kind = "reset";
      view.payloadAt = next;
      return writer === "server" && next < end;
    }
    if ((flags & Flag.version) !== 0) {
      if (writer === "server") {
        view.kind = "version-negotiation";
        view.payloadAt = next;
        return next <= end;
      }
      if (next + 4 > end) return false;
      view.version = u32At(bytes, next);
      view.isLong = true;
      next += 4;
    }
    if ((flags & Flag.nonce) !== 0 && writer === "server") {
      view.nonceAt = next;
      view.level = Level.initial;
      next += nonceSize;
    }
    view.numberSize = publicSizes[(flags & Flag.size) >> 4]!;
    view.numberAt = next;
    view.payloadAt = next + view.numberSize;
    return view.payloadAt < end;
  },
  size({ omitsCid, saysVersion, nonce, numberSize }) {
    return 1 + (omitsCid ? 0 : cidSize) + (saysVersion ? 4 : 0) + (nonce?.length ?? 0) + numberSize;
  },
  put(plan, into, at) {
    let flags: number = publicCodes[plan.numberSize];
    let next = at + 1;
    plan.lengthAt = -1;
    if (!plan.omitsCid) {
      flags |= Flag.cid;
      into.set(plan.cid, next);
      next += cidSize;
    }
    if (plan.saysVersion) {
      flags |= Flag.version;
      next = putU32(into, next, plan.version);
    }
    if (plan.nonce !== undefined) {
      flags |= Flag.nonce;
      into.set(plan.nonce, next);
      next += nonceSize;
    }
    into[at] = flags;
    numbered(plan, next);
  },
};

/** Long and short headers without header protection: Q044, and Q046 with the bits of a later draft. */
interface OldIetf {
  /** First bytes of long headers by what they hold. */
  readonly initial: number;
  readonly handshake: number;
  readonly zeroRtt: number;
  /** The first byte of short headers, without the size of the number. */
  readonly short: number;
  /** Sizes of packet numbers by the two lowest bits; 0: there is no such. */
  readonly sizes: readonly number[];
}

/** Sizes of both ids in a byte: eight bytes for who is addressed by a client, or speaks as a server. */
const idSizes = { client: 0x50, server: 0x05 } as const;

function oldIetf({ initial, handshake, zeroRtt, short, sizes }: OldIetf): Layout {
  return {
    read(view, bytes, at, end, writer) {
      if (at >= end) return false;
      begin(view, end);
      const first = bytes[at]!;
      if (first >= 0x80) {
        if (!readInvariant(view, bytes, at, end) || (view.kind === "packet" && bytes[at + 5] !== idSizes[writer]))
          return false;
        if (view.kind === "version-negotiation") return true;
        if (first !== initial && first !== handshake && first !== zeroRtt) return false;
        view.cidAt = at + 6;
        view.numberSize = 4;
        view.numberAt = at + 6 + cidSize;
        view.payloadAt = view.numberAt + 4;
        if (first === zeroRtt && writer === "server") {
          view.nonceAt = view.payloadAt;
          view.level = Level.initial;
          view.payloadAt += nonceSize;
        }
        return view.payloadAt < end;
      }
      const size = sizes[first & 3]!;
      if ((first & 0x7c & short) !== short || size === 0) return false;
      view.cidAt = writer === "client" ? at + 1 : -1;
      view.numberSize = size;
      view.numberAt = at + 1 + (writer === "client" ? cidSize : 0);
      view.payloadAt = view.numberAt + size;
      return view.payloadAt < end;
    },
    size({ level, writer, nonce, numberSize }) {
      return level === Level.forwardSecure
        ? 1 + (writer === "client" ? cidSize : 0) + numberSize
        : 6 + cidSize + 4 + (nonce?.length ?? 0);
    },
    put(plan, into, at) {
      const { level, writer, cid, version } = plan;
      plan.lengthAt = -1;
      if (level === Level.forwardSecure) {
        into[at] = short | sizes.indexOf(plan.numberSize);
        if (writer === "client") into.set(cid, at + 1);
        numbered(plan, at + 1 + (writer === "client" ? cidSize : 0));
        return;
      }
      into[at] = level === Level.initial ? zeroRtt : plan.isFirst ? initial : handshake;
      putU32(into, at + 1, version);
      into[at + 5] = idSizes[writer];
      into.set(cid, at + 6);
      plan.numberSize = 4;
      numbered(plan, at + 6 + cidSize);
      if (plan.nonce === undefined) return;
      into.set(plan.nonce, plan.payloadAt);
      plan.payloadAt += nonceSize;
    },
  };
}

/** Q050's long headers, like IETF QUIC's: types in bits 5 and 4. */
const longTypes = { initial: 0, zeroRtt: 1 } as const;
const fixedBit = 0x40;

const q050: Layout = {
  read(view, bytes, at, end, writer) {
    if (at >= end) return false;
    begin(view, end);
    const first = bytes[at]!;
    if (first < 0x80) {
      if ((first & fixedBit) === 0) return false;
      view.cidAt = writer === "client" ? at + 1 : -1;
      view.numberAt = at + 1 + (writer === "client" ? cidSize : 0);
      view.level = Level.forwardSecure;
      return view.numberAt < end;
    }
    if (!readInvariant(view, bytes, at, end)) return false;
    if (view.kind === "version-negotiation") return true;
    // A client names an id of the server's and has none itself; a server the other way round.
    const [dcidSize, scidSize] = writer === "client" ? [cidSize, 0] : [0, cidSize];
    const scidSizeAt = at + 6 + dcidSize;
    if (bytes[at + 5] !== dcidSize || scidSizeAt >= end || bytes[scidSizeAt] !== scidSize) return false;
    view.cidAt = writer === "client" ? at + 6 : scidSizeAt + 1;
    let next = scidSizeAt + 1 + scidSize;
    const type = (first >> 4) & 3;
    if (type !== longTypes.initial && type !== longTypes.zeroRtt) return false;
    if (type === longTypes.initial) {
      const token = varintAt(bytes, next, end);
      if (!(token <= end - next)) return false;
      next += varintSpan(bytes[next]!) + token;
    }
    const length = varintAt(bytes, next, end);
    if (!(length <= end)) return false;
    next += varintSpan(bytes[next]!);
    if (next + length > end) return false;
    view.end = next + length;
    view.numberAt = next;
    view.level = type === longTypes.initial ? Level.clear : Level.initial;
    // Where it stands is known once the size of the number is.
    view.nonceAt = type === longTypes.zeroRtt && writer === "server" ? 0 : -1;
    return next < view.end;
  },
  size({ level, writer, nonce, numberSize }) {
    if (level === Level.forwardSecure) return 1 + (writer === "client" ? cidSize : 0) + numberSize;
    return 7 + cidSize + (level === Level.clear ? 1 : 0) + 2 + numberSize + (nonce?.length ?? 0);
  },
  put(plan, into, at) {
    const { level, writer, cid, version, numberSize } = plan;
    plan.lengthAt = -1;
    if (level === Level.forwardSecure) {
      into[at] = fixedBit | (numberSize - 1);
      if (writer === "client") into.set(cid, at + 1);
      numbered(plan, at + 1 + (writer === "client" ? cidSize : 0));
      return;
    }
    const type = level === Level.clear ? longTypes.initial : longTypes.zeroRtt;
    into[at] = 0x80 | fixedBit | (type << 4) | (numberSize - 1);
    let next = putU32(into, at + 1, version);
    if (writer === "client") {
      into[next++] = cidSize;
      into.set(cid, next);
      next += cidSize;
      into[next++] = 0;
    } else {
      into[next++] = 0;
      into[next++] = cidSize;
      into.set(cid, next);
      next += cidSize;
    }
    if (level === Level.clear) into[next++] = 0;
    plan.lengthAt = next;
    numbered(plan, next + 2);
    if (plan.nonce === undefined) return;
    into.set(plan.nonce, plan.payloadAt);
    plan.payloadAt += nonceSize;
  },
};

export const layouts = {
  public: publicLayout,
  q044: oldIetf({ initial: 0xff, handshake: 0xfd, zeroRtt: 0xfc, short: 0x30, sizes: [1, 2, 4, 0] }),
  q046: oldIetf({ initial: 0xc3, handshake: 0xe3, zeroRtt: 0xd3, short: 0x40, sizes: [1, 2, 3, 4] }),
  q050,
} as const satisfies Readonly<Record<string, Layout>>;

function begin(view: HeaderView, end: number): void {
  view.kind = "packet";
  view.version = 0;
  view.isLong = false;
  view.cidAt = view.nonceAt = view.level = -1;
  view.numberSize = 0;
  view.end = end;
}

/** What all long headers have in common. Version 0 is a negotiation; then only the list behind the ids matters. */
function readInvariant(view: HeaderView, bytes: Uint8Array, at: number, end: number): boolean {
  if (at + 7 > end) return false;
  view.isLong = true;
  view.version = u32At(bytes, at + 1);
  if (view.version !== 0) return true;
  view.kind = "version-negotiation";
  return readNegotiation(view, bytes, at, end);
}

/** Ids by two sizes in one byte, or each behind a size of its own; the server echoes the form that the client spoke. */
function readNegotiation(view: HeaderView, bytes: Uint8Array, at: number, end: number): boolean {
  const sizes = bytes[at + 5]!;
  if (sizes === idSizes.server) {
    view.cidAt = at + 6;
    view.payloadAt = at + 6 + cidSize;
  } else {
    if (sizes !== 0 || bytes[at + 6] !== cidSize) return false;
    view.cidAt = at + 7;
    view.payloadAt = at + 7 + cidSize;
  }
  return view.payloadAt <= end;
}

function numbered(plan: HeaderPlan, at: number): void {
  plan.numberAt = at;
  plan.payloadAt = at + plan.numberSize;
}
