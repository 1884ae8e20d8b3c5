import { finish, sum } from "../../bytes/checksum.js";
import { equal, toHex } from "../../bytes/index.js";
import type { Instant } from "../../contract/index.js";
import { fragmentsPerDatagramMax, reassembliesMax, reassemblyBytesMax, reassemblyTimeoutMs } from "../limits.js";
import { type IpHeader, putU16 } from "./header.js";

interface Fragment {
  readonly start: number;
  readonly end: number;
  readonly bytes: Uint8Array;
}

interface Datagram {
  readonly by: Instant;
  /** Sorted, disjoint. */
  readonly fragments: Fragment[];
  /** Header of the first fragment, up to the payload. */
  header: Uint8Array | undefined;
  protocol: number;
  total: number | undefined;
  bytes: number;
}

/** Puts fragments together (RFC 791 §3.2, RFC 8200 §4.5). Overlap ends a datagram: RFC 5722 says so, and so do attacks. */
export class Reassembly {
  readonly #datagrams = new Map<string, Datagram>();
  #bytes = 0;

  /** Takes a fragment; answers the whole packet, in memory of its own, when nothing is missing. */
  add(header: IpHeader, bytes: Uint8Array, now: Instant): Uint8Array | undefined {
    this.expire(now);
    const key = `${toHex(bytes.subarray(header.sourceAt, header.sourceAt + 2 * header.addressSize))} ${header.fragmentId} ${header.version === 4 ? header.protocol : ""}`;
    const start = header.fragmentOffset;
    const size = header.end - header.payload;
    const end = start + size;
    // All but the last are a multiple of eight bytes, and nothing reaches beyond 65,535.
    if (size === 0 || (header.moreFragments && size % 8 !== 0) || end > 65_535) return undefined;
    const datagram = this.#datagrams.get(key) ?? this.#start(key, now);
    if (!this.#fits(datagram, start, end, header.moreFragments)) {
      this.#drop(key, datagram);
      return undefined;
    }
    const payload = bytes.slice(header.payload, header.end);
    const place = datagram.fragments.findIndex((fragment) => fragment.start >= start);
    const at = place === -1 ? datagram.fragments.length : place;
    const [before, after] = [datagram.fragments[at - 1], datagram.fragments[at]];
    if (after?.start === start && after.end === end && equal(after.bytes, payload)) return undefined;
    while (this.#bytes + size > reassemblyBytesMax && this.#dropOldest(datagram)) {}
    const overlaps = (before !== undefined && before.end > start) || (after !== undefined && after.start < end);
    if (overlaps || datagram.fragments.length >= fragmentsPerDatagramMax || this.#bytes + size > reassemblyBytesMax) {
      this.#drop(key, datagram);
      return undefined;
    }
    datagram.fragments.splice(at, 0, { start, end, bytes: payload });
    datagram.bytes += size;
    this.#bytes += size;
    if (start === 0) {
      datagram.header = bytes.slice(header.at, header.payload);
      datagram.protocol = header.protocol;
    }
    if (!header.moreFragments) datagram.total = end;
    if (datagram.header === undefined || datagram.bytes !== datagram.total) return undefined;
    this.#drop(key, datagram);
    return whole(header.version, datagram.header, datagram);
  }

  expire(now: Instant): void {
    for (const [key, datagram] of this.#datagrams) {
      if (datagram.by > now) break;
      this.#drop(key, datagram);
    }
  }

  /** A flood must not keep newcomers out for a minute: what is oldest makes room. False if nothing but `spared` is left. */
  #dropOldest(spared: Datagram | undefined): boolean {
    for (const [key, datagram] of this.#datagrams) {
      if (datagram === spared) continue;
      this.#drop(key, datagram);
      return true;
    }
    return false;
  }

  #start(key: string, now: Instant): Datagram {
    if (this.#datagrams.size >= reassembliesMax) this.#dropOldest(undefined);
    const datagram: Datagram = {
      by: now + reassemblyTimeoutMs,
      fragments: [],
      header: undefined,
      protocol: 0,
      total: undefined,
      bytes: 0,
    };
    this.#datagrams.set(key, datagram);
    return datagram;
  }

  /** One end only, and nothing behind it. */
  #fits({ total, fragments }: Datagram, start: number, end: number, more: boolean): boolean {
    if (total !== undefined && (more ? end > total : end !== total)) return false;
    const last = fragments.at(-1);
    return more || last === undefined || last.end <= end || last.start === start;
  }

  #drop(key: string, datagram: Datagram): void {
    this.#datagrams.delete(key);
    this.#bytes -= datagram.bytes;
  }
}

/** The packet as if it had never been cut; its header no longer mentions fragments. */
function whole(version: 4 | 6, header: Uint8Array, { fragments, protocol, total }: Datagram): Uint8Array {
  const headerSize = version === 4 ? header.length : 40;
  const packet = new Uint8Array(headerSize + total!);
  packet.set(header.subarray(0, headerSize));
  if (version === 4) {
    packet[2] = packet.length >> 8;
    packet[3] = packet.length;
    packet[6] = packet[7] = 0;
    putU16(packet, 10, 0);
    putU16(packet, 10, finish(sum(packet, 0, headerSize)));
  } else {
    packet[4] = total! >> 8;
    packet[5] = total!;
    packet[6] = protocol;
  }
  for (const { start, bytes } of fragments) packet.set(bytes, headerSize + start);
  return packet;
}
