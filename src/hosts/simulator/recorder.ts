import { createHash } from "node:crypto";
import type { Clock, Instant } from "../../contract/index.js";
import { Pcapng, secretsKindOf, tcpPacket, udpPacket } from "../../mechanisms/capture/index.js";
import { type Packet, showAddress } from "./packet.js";

/** A packet that was put on a link, and what became of it. */
export interface SeenPacket {
  readonly at: Instant;
  readonly packet: Packet;
  /** When it will be at the other end; undefined if it will not. */
  readonly arrival: Instant | undefined;
  /** What befell it: `lost`, `too big`, `queue overflowed`, `corrupted`, `duplicated`, `marked`; undefined: nothing. */
  readonly what: string | undefined;
}

/** Sees every packet on every link: keeps a digest of all of them and, if wanted, a capture. */
export class Recorder {
  readonly #clock: Clock;
  readonly #seen: ((packet: SeenPacket) => void) | undefined;
  readonly #digest = createHash("sha256");
  readonly #blocks: Uint8Array[] = [];
  readonly #capture: Pcapng | undefined;

  constructor(clock: Clock, isCapturing: boolean, seen?: (packet: SeenPacket) => void) {
    this.#clock = clock;
    this.#seen = seen;
    if (isCapturing) {
      this.#capture = new Pcapng((block) => void this.#blocks.push(block), [{ name: "simulated", link: "ip" }]);
    }
  }

  record(packet: Packet, link: string, what: string | undefined, arrival?: Instant): void {
    const { protocol, from, to, bytes, segment } = packet;
    const at = this.#clock.now();
    this.#seen?.({ at, packet, arrival, what });
    this.#digest.update(
      `${at} ${link} ${what ?? "sent"} ${protocol} ${showAddress(from)} ${showAddress(to)} ${JSON.stringify(segment)} ${bytes.length}\n`,
    );
    this.#digest.update(bytes);
    this.#capture?.packet({
      at,
      bytes:
        segment === undefined
          ? udpPacket(from, to, bytes, packet.ecn)
          : tcpPacket(from, to, { ...segment, flags: segment }, bytes),
      comment: what === undefined ? link : `${link}: ${what}`,
    });
  }

  secrets(line: string): void {
    this.#capture?.secrets(secretsKindOf(line), line);
  }

  /** Of all that was put on links so far, in order. */
  digest(): string {
    return this.#digest.copy().digest("hex");
  }

  capture(): Uint8Array {
    let size = 0;
    for (const block of this.#blocks) size += block.length;
    const file = new Uint8Array(size);
    let at = 0;
    for (const block of this.#blocks) {
      file.set(block, at);
      at += block.length;
    }
    return file;
  }
}
