import type { Instant, SocketAddress, Transmit } from "../../../contract/index.js";
import { contentType } from "../record/content-type.js";
import type { RecordSealer } from "../record/protection.js";
import type { Core } from "./core.js";
import type { Naming } from "./naming.js";
import type { PathSize } from "./path-size.js";
import { isSame, Paths, pathMessageSize } from "./paths.js";

/** Where the peer is, and how it is believed to be elsewhere. */
export class Whereabouts {
  remote: SocketAddress;
  readonly #core: Core;
  readonly #naming: Naming;
  readonly #size: PathSize;
  readonly #paths: Paths;

  constructor(core: Core, naming: Naming, size: PathSize) {
    this.#core = core;
    this.#size = size;
    this.#naming = naming;
    this.remote = core.begin.remote;
    this.#paths = new Paths(core.begin.config.entropy);
  }

  get deadline(): Instant | undefined {
    return this.#paths.deadline;
  }

  due(now: Instant): void {
    this.#paths.due(now);
  }

  /** RFC 9146 §6: the newest authentic record came from there. Is the peer there, or only its record? */
  heardFrom(from: SocketAddress): void {
    if (isSame(from, this.remote)) return;
    const { begin, isConfirmed, now } = this.#core;
    if (begin.ids.provesPaths && isConfirmed) this.#paths.challenge({ ...from }, now);
    else this.#move({ ...from });
  }

  /** A message of return_routability_check, from where the datagram in hand came. */
  receive(bytes: Uint8Array, at: number, size: number): void {
    const { from } = this.#core;
    if (this.#paths.receive(bytes, at, size, from)) this.#move(from);
  }

  /** Writes such a message, if there is one; answers its size, and says where it goes. */
  write(into: Uint8Array, sealer: RecordSealer, out: { to?: Transmit["to"] }): number {
    const to = this.#paths.write(into, sealer.headroom);
    if (to === undefined) return 0;
    out.to = to;
    return sealer.seal(into, 0, pathMessageSize, contentType.returnRoutabilityCheck);
  }

  #move(to: SocketAddress): void {
    const from = this.remote;
    if (isSame(from, to)) return;
    this.remote = { ...to };
    this.#naming.moved();
    this.#size.moved(this.#core.now);
    this.#core.trace("moved", { from, to: this.remote });
    this.#core.tell({ kind: "moved", association: this.#core.id, from, to: this.remote });
  }
}
