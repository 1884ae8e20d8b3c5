import { finish, pseudoHeaderSum, sum } from "../../bytes/checksum.js";
import { putU16, writeHeader } from "../ip/header.js";
import { Protocol } from "../ip/protocols.js";
import { OptionsOut, writeTcpHeader } from "./segment.js";
import type { SendBuffer } from "./send-buffer.js";
import type { TcpTuple } from "./tuple-map.js";

/** Filled again for each packet of any connection. */
const options = new OptionsOut();

/** Writes a connection's packets: IP header, TCP header, options, payload from the send buffer, checksum. */
export class PacketWriter {
  /** Filled in by the connection before each `write`. */
  sequence = 0;
  acknowledgment = 0;
  flags = 0;
  window = 0;
  ecn = 0;
  dscp = 0;
  readonly headerSize: 20 | 40;
  readonly #tuple: TcpTuple;
  readonly #pseudo: number;

  constructor(tuple: TcpTuple) {
    this.#tuple = tuple;
    this.headerSize = tuple.local.length === 4 ? 20 : 40;
    this.#pseudo = pseudoHeaderSum(tuple.local, tuple.remote, Protocol.tcp, 0);
  }

  /** The options of the next packet, empty. */
  options(): OptionsOut {
    return options.reset();
  }

  /** Writes the packet at `at`, with `size` bytes from `offset` on in the buffer, and answers its size. */
  write(into: Uint8Array, at: number, buffer: SendBuffer, offset: number, size: number): number {
    const { local, localPort, remote, remotePort } = this.#tuple;
    const tcp = at + this.headerSize;
    const optionsSize = options.write(into, tcp + 20);
    const payload = size > 0 ? buffer.copy(offset, size, into, tcp + 20 + optionsSize) : 0;
    const { sequence, acknowledgment, flags, window } = this;
    writeTcpHeader(into, tcp, localPort, remotePort, sequence, acknowledgment, flags, window, optionsSize);
    const length = 20 + optionsSize + size;
    putU16(into, tcp + 16, finish(this.#pseudo + length + sum(into, tcp, 20 + optionsSize) + payload));
    writeHeader(into, at, local, remote, Protocol.tcp, length, this.ecn, this.dscp, 0);
    return this.headerSize + length;
  }
}
