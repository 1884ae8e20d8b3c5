import { utf8 } from "../../bytes/index.js";
import type { Instant } from "../../contract/index.js";

/** What an interface's packets start with: https://www.tcpdump.org/linktypes.html. */
export const linkTypes = { ethernet: 1, ip: 101 } as const;

/** What a secrets block may hold (draft-ietf-opsawg-pcapng, Decryption Secrets Block). */
const secretsTypes = { tls: 0x544c534b, wireguard: 0x57474b4c } as const;

export interface CaptureInterface {
  readonly name: string;
  readonly link: keyof typeof linkTypes;
}

export interface CapturedPacket {
  readonly at: Instant;
  /** Index into the interfaces that the capture was opened with. Default 0. */
  readonly on?: number;
  readonly bytes: Uint8Array;
  /** Size on the wire, if not all of it was captured. */
  readonly size?: number;
  readonly direction?: "in" | "out";
  readonly comment?: string;
}

/** Which tool's key log a line belongs to: WireGuard's read `NAME = value`, NSS's `NAME value value`. */
export const secretsKindOf = (line: string): keyof typeof secretsTypes => (/^\S+ = /.test(line) ? "wireguard" : "tls");

/**
 * Writes a capture that Wireshark opens (draft-ietf-opsawg-pcapng): one section, its interfaces, packets with
 * comments, and the secrets that decrypt them, whole block by whole block.
 */
export class Pcapng {
  readonly #write: (block: Uint8Array) => void;

  constructor(write: (block: Uint8Array) => void, interfaces: readonly CaptureInterface[], application = "sealport") {
    this.#write = write;
    this.#block(blocks.section, [u32(0x1a2b3c4d), u16(1), u16(0), u32(0xffff_ffff), u32(0xffff_ffff)], {
      [4]: application,
    });
    for (const { name, link } of interfaces) {
      this.#block(blocks.interface, [u16(linkTypes[link]), u16(0), u32(0)], { [2]: name });
    }
  }

  packet({ at, on = 0, bytes, size = bytes.length, direction, comment }: CapturedPacket): void {
    const micros = Math.round(at * 1000);
    this.#block(
      blocks.packet,
      [u32(on), u32(Math.floor(micros / 2 ** 32)), u32(micros % 2 ** 32), u32(bytes.length), u32(size), padded(bytes)],
      { [1]: comment, [2]: direction && u32(direction === "in" ? 1 : 2) },
    );
  }

  /** Lines of a key log. They must stand before the packets that they decrypt, so write them as soon as they are known. */
  secrets(kind: keyof typeof secretsTypes, lines: string): void {
    const bytes = utf8(lines.endsWith("\n") ? lines : `${lines}\n`);
    this.#block(blocks.secrets, [u32(secretsTypes[kind]), u32(bytes.length), padded(bytes)], {});
  }

  #block(
    type: number,
    body: readonly Uint8Array[],
    options: Readonly<Record<number, string | Uint8Array | undefined>>,
  ): void {
    const parts = [...body];
    for (const [code, value] of Object.entries(options)) {
      if (value === undefined) continue;
      const bytes = typeof value === "string" ? utf8(value) : value;
      parts.push(u16(Number(code)), u16(bytes.length), padded(bytes));
    }
    if (parts.length > body.length) parts.push(u32(0));
    let size = 12;
    for (const part of parts) size += part.length;
    const block = new Uint8Array(size);
    let at = 0;
    for (const part of [u32(type), u32(size), ...parts, u32(size)]) {
      block.set(part, at);
      at += part.length;
    }
    this.#write(block);
  }
}

const blocks = { section: 0x0a0d0d0a, interface: 1, packet: 6, secrets: 10 } as const;

/** Little-endian, as the byte-order magic says. */
const u16 = (value: number): Uint8Array => Uint8Array.of(value, value >>> 8);
const u32 = (value: number): Uint8Array => Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);

function padded(bytes: Uint8Array): Uint8Array {
  if (bytes.length % 4 === 0) return bytes;
  const whole = new Uint8Array(bytes.length + 4 - (bytes.length % 4));
  whole.set(bytes);
  return whole;
}
