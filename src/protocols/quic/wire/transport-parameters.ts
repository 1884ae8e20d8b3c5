import {
  DecodeError,
  formatAddress,
  parseAddress,
  Reader,
  readVarint,
  Writer,
  writeVarint,
} from "../../../bytes/index.js";
import type { SocketAddress } from "../../../contract/index.js";

/** Transport parameters, RFC 9000 §18.2, RFC 9221 §3, RFC 9287 §3, RFC 9368 §3. Absent ones have their default. */
export interface TransportParameters {
  readonly originalDestinationConnectionId: Uint8Array | undefined;
  readonly maxIdleTimeoutMs: number;
  readonly statelessResetToken: Uint8Array | undefined;
  readonly maxUdpPayloadSize: number;
  readonly initialMaxData: number;
  readonly initialMaxStreamDataBidiLocal: number;
  readonly initialMaxStreamDataBidiRemote: number;
  readonly initialMaxStreamDataUni: number;
  readonly initialMaxStreamsBidi: number;
  readonly initialMaxStreamsUni: number;
  readonly ackDelayExponent: number;
  readonly maxAckDelayMs: number;
  readonly disableActiveMigration: boolean;
  readonly preferredAddress: PreferredAddress | undefined;
  readonly activeConnectionIdLimit: number;
  readonly initialSourceConnectionId: Uint8Array | undefined;
  readonly retrySourceConnectionId: Uint8Array | undefined;
  readonly versionInformation: VersionInformation | undefined;
  readonly maxDatagramFrameSize: number;
  readonly greaseQuicBit: boolean;
}

export interface PreferredAddress {
  readonly ipv4: SocketAddress | undefined;
  readonly ipv6: SocketAddress | undefined;
  readonly connectionId: Uint8Array;
  readonly statelessResetToken: Uint8Array;
}

export interface VersionInformation {
  readonly chosen: number;
  readonly available: readonly number[];
}

export const defaultParameters: TransportParameters = {
  originalDestinationConnectionId: undefined,
  maxIdleTimeoutMs: 0,
  statelessResetToken: undefined,
  maxUdpPayloadSize: 65_527,
  initialMaxData: 0,
  initialMaxStreamDataBidiLocal: 0,
  initialMaxStreamDataBidiRemote: 0,
  initialMaxStreamDataUni: 0,
  initialMaxStreamsBidi: 0,
  initialMaxStreamsUni: 0,
  ackDelayExponent: 3,
  maxAckDelayMs: 25,
  disableActiveMigration: false,
  preferredAddress: undefined,
  activeConnectionIdLimit: 2,
  initialSourceConnectionId: undefined,
  retrySourceConnectionId: undefined,
  versionInformation: undefined,
  maxDatagramFrameSize: 0,
  greaseQuicBit: false,
};

type Name = keyof TransportParameters;
type Value = TransportParameters[Name];

/** How one parameter stands in its bytes. */
interface Row {
  readonly id: number;
  readonly name: Name;
  read(from: Reader): Value;
  write(to: Writer, value: never): void;
  /** A client may not send it (§18.2). */
  readonly serverOnly?: true;
}

const integer = (id: number, name: Name, min = 0, max = Number.POSITIVE_INFINITY): Row => ({
  id,
  name,
  read: (from) => {
    const value = readVarint(from);
    if (value < min || value > max) throw new DecodeError(`${name} is ${value}`);
    // What a number cannot hold is more than anyone will ever use.
    return Math.min(value, Number.MAX_SAFE_INTEGER);
  },
  write: (to, value: number) => writeVarint(to, value),
});

const id = (code: number, name: Name, max: number, serverOnly?: true): Row => ({
  id: code,
  name,
  read: (from) => {
    if (from.left > max) throw new DecodeError(`${name} has ${from.left} bytes`);
    return from.rest().slice();
  },
  write: (to, value: Uint8Array) => void to.put(value),
  ...(serverOnly && { serverOnly }),
});

const flag = (code: number, name: Name): Row => ({ id: code, name, read: () => true, write: () => undefined });

/** The most streams that there can be, §19.11. */
const streamsMax = 2 ** 60;

const rows: readonly Row[] = [
  id(0x00, "originalDestinationConnectionId", 20, true),
  integer(0x01, "maxIdleTimeoutMs"),
  {
    id: 0x02,
    name: "statelessResetToken",
    read: (from) => from.take(16).slice(),
    write: (to, value: Uint8Array) => void to.put(value),
    serverOnly: true,
  },
  integer(0x03, "maxUdpPayloadSize", 1200),
  integer(0x04, "initialMaxData"),
  integer(0x05, "initialMaxStreamDataBidiLocal"),
  integer(0x06, "initialMaxStreamDataBidiRemote"),
  integer(0x07, "initialMaxStreamDataUni"),
  integer(0x08, "initialMaxStreamsBidi", 0, streamsMax),
  integer(0x09, "initialMaxStreamsUni", 0, streamsMax),
  integer(0x0a, "ackDelayExponent", 0, 20),
  integer(0x0b, "maxAckDelayMs", 0, 2 ** 14 - 1),
  flag(0x0c, "disableActiveMigration"),
  { id: 0x0d, name: "preferredAddress", read: readPreferred, write: writePreferred, serverOnly: true },
  integer(0x0e, "activeConnectionIdLimit", 2),
  id(0x0f, "initialSourceConnectionId", 20),
  id(0x10, "retrySourceConnectionId", 20, true),
  { id: 0x11, name: "versionInformation", read: readVersions, write: writeVersions },
  integer(0x20, "maxDatagramFrameSize"),
  flag(0x2ab2, "greaseQuicBit"),
];

const rowById: ReadonlyMap<number, Row> = new Map(rows.map((row) => [row.id, row]));

/** Throws a DecodeError for what does not parse, is out of range, stands twice, or is not for that role to send. */
export function readParameters(bytes: Uint8Array, sender: "client" | "server"): TransportParameters {
  const found: Partial<Record<Name, Value>> = {};
  const seen = new Set<number>();
  const reader = new Reader(bytes);
  while (reader.left > 0) {
    const code = readVarint(reader);
    const size = readVarint(reader);
    if (size > reader.left) throw new DecodeError(`parameter ${code} is cut short`);
    const value = reader.scope(size);
    if (seen.has(code)) throw new DecodeError(`parameter ${code} stands twice`);
    seen.add(code);
    const row = rowById.get(code);
    if (row === undefined) continue; // §7.4.2: what is not known is ignored
    if (row.serverOnly && sender === "client") throw new DecodeError(`a client sent ${row.name}`);
    found[row.name] = row.read(value);
    value.end();
  }
  return { ...defaultParameters, ...(found as Partial<TransportParameters>) };
}

/** Bytes of a parameter, a preferred address with the longest id; what is longer is written, too. */
const longestValue = 64;

/** Writes all that is not the default. `grease`, if given, is one more parameter that nobody knows (§18.1). */
export function writeParameters(
  parameters: Partial<TransportParameters>,
  grease?: { readonly id: number; readonly data: Uint8Array },
): Uint8Array {
  const writer = new Writer();
  const inner = new Writer(longestValue);
  for (const row of rows) {
    const value = parameters[row.name];
    if (value === undefined || value === false || value === defaultParameters[row.name]) continue;
    row.write(inner, value as never);
    writeVarint(writer, row.id);
    writeVarint(writer, inner.size);
    writer.put(inner.take());
  }
  if (grease !== undefined) {
    writeVarint(writer, grease.id);
    writeVarint(writer, grease.data.length);
    writer.put(grease.data);
  }
  return writer.take();
}

/** §18.2: both families, zero where there is none; an id, and its token. */
function readPreferred(from: Reader): PreferredAddress {
  const ipv4 = address(from, 4);
  const ipv6 = address(from, 16);
  const size = from.u8();
  if (size < 1 || size > 20) throw new DecodeError("a preferred address without a connection id");
  return { ipv4, ipv6, connectionId: from.take(size).slice(), statelessResetToken: from.take(16).slice() };
}

function address(from: Reader, size: number): SocketAddress | undefined {
  const bytes = from.take(size);
  const port = from.u16();
  return port === 0 ? undefined : { address: formatAddress(bytes.slice()), port };
}

function writePreferred(to: Writer, value: PreferredAddress): void {
  for (const [each, size] of [
    [value.ipv4, 4],
    [value.ipv6, 16],
  ] as const) {
    to.put((each && parseAddress(each.address)) ?? new Uint8Array(size)).u16(each?.port ?? 0);
  }
  to.u8(value.connectionId.length).put(value.connectionId).put(value.statelessResetToken);
}

/** RFC 9368 §3: no version is 0. */
function readVersions(from: Reader): VersionInformation {
  const chosen = from.u32();
  const available: number[] = [];
  while (from.left > 0) available.push(from.u32());
  if (chosen === 0 || available.includes(0)) throw new DecodeError("a version of 0");
  return { chosen, available };
}

function writeVersions(to: Writer, { chosen, available }: VersionInformation): void {
  to.u32(chosen);
  for (const each of available) to.u32(each);
}
