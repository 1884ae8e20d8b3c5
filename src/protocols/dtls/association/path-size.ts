import { earliest, type Instant } from "../../../contract/index.js";
import { PathMtu } from "../../../mechanisms/pmtu/index.js";
import type { HeartbeatMode } from "../handshake/heartbeat-mode.js";
import {
  confirmPathMs,
  mtuBase,
  mtuMin,
  probeWaitMs,
  retransmissionsBeforeLeast,
  retransmissionsBeforeSmaller,
} from "../limits.js";
import type { RecordSealer } from "../record/protection.js";
import type { Core } from "./core.js";
import { Heartbeats, requestSizeMin } from "./heartbeats.js";

/**
 * How large our datagrams may be (RFC 9147 §4.4, RFC 8899). During the handshake a flight that nobody answers tells; later, of
 * application data nobody tells whether they came, so heartbeats of the size in question do, if the peer takes them.
 */
export class PathSize {
  readonly #core: Core;
  readonly #heartbeats: Heartbeats;
  #mtu: PathMtu;
  /** We may ask, and want to know. */
  #isProbing = false;
  /** The peer may ask. */
  #answers = false;
  /** The request that is out: its datagram's size, until when it is waited for, and whether that size was taken for good. */
  #out: { readonly size: number; readonly until: Instant; readonly confirms: boolean } | undefined;
  /** When the current size is to be confirmed: something of it has been sent. */
  #confirmAt: Instant | undefined;
  #told: number;

  constructor(core: Core) {
    const { mtu, mtuMax = mtu } = core.begin.transport;
    this.#core = core;
    this.#heartbeats = new Heartbeats(core.begin.config.entropy);
    this.#mtu = pathMtu(mtu, mtuMax);
    this.#told = mtu;
  }

  /** Greatest datagram, in bytes of UDP payload. */
  get current(): number {
    return this.#mtu.current;
  }

  get deadline(): Instant | undefined {
    if (this.#out !== undefined) return this.#out.until;
    return earliest(this.#confirmAt, this.#isProbing ? this.#mtu.deadline() : undefined);
  }

  /**
   * A flight whose largest datagram had this size brings no answer however often it is sent (RFC 6347 §4.1.1.1). It may be the
   * answer that is too large: so the peer has its turn before we send less than what nearly every path carries.
   */
  unanswered(size: number, repeats: number, now: Instant): void {
    const isBase = this.current > mtuBase;
    const enough = isBase ? retransmissionsBeforeSmaller : retransmissionsBeforeLeast;
    if (repeats >= enough && size > (isBase ? mtuBase : mtuMin)) this.#mtu.fall(now);
  }

  /**
   * The host or a router says that a datagram was too large, and nobody proves it. A session that can ask asks. A handshake falls
   * to what every host of IPv4 takes, and no lower (§4.4). Any other leaves it to the application, which is told too. True if
   * what is sent from now on is smaller.
   */
  tooBig(now: Instant): boolean {
    const before = this.current;
    if (this.#out !== undefined) {
      if (!this.#out.confirms) this.#mtu.refused(this.#out.size);
      else this.#missed(now);
      this.#heartbeats.giveUp();
      this.#out = undefined;
    } else if (this.#isProbing) this.#confirmAt = now;
    else if (!this.#core.isConfirmed && before > mtuBase) this.#mtu.fall(now);
    this.#tell();
    return this.current < before;
  }

  /** The handshake is over: what the peer says of heartbeats, if both sides spoke of them, and the greatest content of a record. */
  confirmed(mode: HeartbeatMode | undefined, recordMax: number): void {
    const { mtuMax } = this.#core.begin.transport;
    this.#answers = mode !== undefined;
    this.#told = this.current;
    if (mode !== "peer_allowed_to_send" || mtuMax === undefined) return;
    const sealer = this.#core.epochs.application!;
    // What a flight suffered may have been chance: the search begins anew, from the size that got through.
    this.#mtu = pathMtu(this.current, Math.min(mtuMax, recordMax + sealer.headroom + sealer.tailroom));
    this.#isProbing = true;
  }

  /** Application data of this size left. */
  sent(size: number, now: Instant): void {
    if (this.#isProbing && this.#confirmAt === undefined && size > mtuMin) this.#confirmAt = now + confirmPathMs;
  }

  /** The peer is elsewhere: does what fitted that path fit this one? */
  moved(now: Instant): void {
    if (this.#isProbing) this.#confirmAt = now;
  }

  /** A heartbeat of the peer's. */
  receive(bytes: Uint8Array, at: number, size: number, epoch: number): void {
    const core = this.#core;
    // Not during a handshake, and not under keys that have been replaced (RFC 6520 §3).
    if (!core.isConfirmed || epoch !== core.epochs.newestRead || !(this.#answers || this.#isProbing)) {
      core.drop("unexpected-record");
      return;
    }
    const verdict = this.#heartbeats.receive(bytes, at, size);
    if (verdict === "answered" && this.#out !== undefined) {
      if (this.#out.confirms) this.#confirmAt = undefined;
      this.#mtu.acknowledged(this.#out.size);
      this.#out = undefined;
      this.#tell();
    } else if (verdict !== "asked" || !this.#answers) core.drop("malformed-message");
  }

  due(now: Instant): void {
    const out = this.#out;
    if (out === undefined || out.until > now) return;
    this.#out = undefined;
    this.#heartbeats.giveUp();
    if (out.confirms) this.#missed(now);
    else this.#mtu.probeLost(out.size);
  }

  /** Writes a heartbeat, if there is one to write; answers its size. */
  write(into: Uint8Array, sealer: RecordSealer, now: Instant): number {
    const contentMax = this.current - sealer.headroom - sealer.tailroom;
    const answer = this.#answers ? this.#heartbeats.answer(into, sealer, contentMax) : 0;
    if (answer > 0 || !this.#isProbing || this.#out !== undefined) return answer;
    const confirms = this.#confirmAt !== undefined && this.#confirmAt <= now;
    const size = confirms ? this.current : this.#mtu.probe(now);
    if (size === undefined || size > into.length) return 0;
    const content = size - sealer.headroom - sealer.tailroom;
    if (content < requestSizeMin) return 0;
    this.#out = { size, until: now + probeWaitMs, confirms };
    if (!confirms) this.#mtu.probeSent(size);
    return this.#heartbeats.ask(into, sealer, content);
  }

  stop(): void {
    this.#isProbing = this.#answers = false;
    this.#out = this.#confirmAt = undefined;
  }

  #missed(now: Instant): void {
    if (this.#mtu.missed(this.current, now)) this.#confirmAt = undefined;
    this.#tell();
  }

  #tell(): void {
    const { current } = this;
    if (current === this.#told || !this.#core.isConfirmed) return;
    this.#core.trace("mtu_updated", { old: this.#told, new: current });
    this.#told = current;
    this.#core.tell({ kind: "path-size", association: this.#core.id, size: current });
  }
}

const pathMtu = (start: number, max: number): PathMtu =>
  new PathMtu({ start, max, base: Math.min(mtuBase, start), min: mtuMin });
