import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { peer, scratch } from "./peers/index.js";

export type Direction = "to server" | "to client";

/** Sees every chunk on its way; what it answers is passed on, `undefined` cuts the connection both ways. */
export type Edit = (direction: Direction, bytes: Buffer) => Uint8Array | undefined;

/** A man in the middle of a TCP connection who listens, changes bytes, and hangs up. */
export class Relay implements AsyncDisposable {
  readonly port: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #heard: { readonly direction: Direction; readonly bytes: Buffer<ArrayBuffer> }[] = [];

  static async to(target: number, edit: Edit = (_, bytes) => bytes): Promise<Relay> {
    const server = createServer({ allowHalfOpen: true });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    return new Relay(server, target, edit);
  }

  private constructor(server: Server, target: number, edit: Edit) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on("connection", (client) => {
      const upstream = connect({ host: "127.0.0.1", port: target, allowHalfOpen: true });
      this.#pass("to server", client, upstream, edit);
      this.#pass("to client", upstream, client, edit);
    });
  }

  /** How many bytes went this way. */
  passed(direction: Direction): number {
    return this.bytes(direction).length;
  }

  bytes(direction: Direction): Buffer {
    return Buffer.concat(this.#heard.filter((chunk) => chunk.direction === direction).map(({ bytes }) => bytes));
  }

  /** Ends both connections: with FIN and nothing said in TLS, or with RST. */
  cut(how: "finish" | "reset"): void {
    for (const socket of this.#sockets) how === "finish" ? socket.end() : socket.resetAndDestroy();
  }

  /** What tshark reads in this conversation with the help of a key log: the plaintext of both directions in order. */
  decrypted(keyLog: string): string {
    const file = join(scratch(), "conversation.pcap");
    writeFileSync(file, this.#pcap());
    const { command } = peer("tshark");
    const args = [
      "-q",
      "-r",
      file,
      "-o",
      `tls.keylog_file:${keyLog}`,
      "-d",
      `tcp.port==443,tls`,
      "-z",
      "follow,tls,ascii,0",
    ];
    return execFileSync(command, args, {
      encoding: "latin1",
      stdio: ["ignore", "pipe", "ignore"],
      maxBuffer: 64 << 20,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((done) => this.#server.close(done));
  }

  #pass(direction: Direction, from: Socket, to: Socket, edit: Edit): void {
    this.#sockets.add(from);
    from.on("data", (bytes) => {
      const passed = edit(direction, bytes);
      if (passed === undefined) this.cut("finish");
      else if (passed.length > 0 && to.writable) {
        this.#heard.push({ direction, bytes: Buffer.from(Uint8Array.from(passed).buffer) });
        if (!to.write(passed)) {
          from.pause();
          to.once("drain", () => from.resume());
        }
      }
    });
    from.on("end", () => to.end());
    from.on("error", () => to.destroy());
    from.on("close", () => this.#sockets.delete(from));
  }

  /** The conversation as a capture of raw IPv4: addresses 10.0.0.1 and 10.0.0.2, ports 50000 and 443. */
  #pcap(): Buffer {
    const header = Buffer.alloc(24);
    header.writeUInt32LE(0xa1b2c3d4, 0);
    header.writeUInt16LE(2, 4);
    header.writeUInt16LE(4, 6);
    header.writeUInt32LE(262_144, 16);
    header.writeUInt32LE(101, 20); // LINKTYPE_RAW
    const packets: Buffer[] = [header];
    const sequence = { "to server": 1, "to client": 1 };
    const packet = (direction: Direction, flags: number, bytes: Uint8Array) => {
      const other = direction === "to server" ? "to client" : "to server";
      packets.push(segment(direction, sequence[direction], sequence[other], flags, bytes, packets.length));
    };
    sequence["to server"] = sequence["to client"] = 0;
    packet("to server", 0x02, none);
    sequence["to server"] = 1;
    packet("to client", 0x12, none);
    sequence["to client"] = 1;
    packet("to server", 0x10, none);
    for (const { direction, bytes } of this.#heard) {
      for (let at = 0; at < bytes.length; at += segmentMax) {
        const part = bytes.subarray(at, at + segmentMax);
        packet(direction, 0x18, part);
        sequence[direction] += part.length;
      }
    }
    return Buffer.concat(packets);
  }
}

const none = new Uint8Array();
const segmentMax = 32_768;

function segment(
  direction: Direction,
  sequence: number,
  acknowledged: number,
  flags: number,
  bytes: Uint8Array,
  index: number,
): Buffer {
  const up = direction === "to server";
  const packet = Buffer.alloc(16 + 40 + bytes.length);
  const size = 40 + bytes.length;
  packet.writeUInt32LE(1_700_000_000, 0);
  packet.writeUInt32LE(index, 4);
  packet.writeUInt32LE(size, 8);
  packet.writeUInt32LE(size, 12);
  const ip = packet.subarray(16);
  ip.writeUInt8(0x45, 0);
  ip.writeUInt16BE(size, 2);
  ip.writeUInt8(64, 8);
  ip.writeUInt8(6, 9);
  ip.writeUInt32BE(up ? 0x0a000001 : 0x0a000002, 12);
  ip.writeUInt32BE(up ? 0x0a000002 : 0x0a000001, 16);
  const tcp = ip.subarray(20);
  tcp.writeUInt16BE(up ? 50_000 : 443, 0);
  tcp.writeUInt16BE(up ? 443 : 50_000, 2);
  tcp.writeUInt32BE(sequence, 4);
  tcp.writeUInt32BE(flags & 0x10 ? acknowledged : 0, 8);
  tcp.writeUInt8(0x50, 12);
  tcp.writeUInt8(flags, 13);
  tcp.writeUInt16BE(65_535, 14);
  packet.set(bytes, 56);
  return packet;
}
