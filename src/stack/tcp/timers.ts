import { earliest, type Instant, networkFailure } from "../../contract/index.js";
import { sleptMinMs } from "../limits.js";
import type { ControlBlock } from "./control-block.js";

/** What the time does to a connection: it is given up, tried again, kept alive, forgotten. */
export class Timers {
  readonly #tcb: ControlBlock;

  constructor(tcb: ControlBlock) {
    this.#tcb = tcb;
  }

  deadline(): Instant | undefined {
    const tcb = this.#tcb;
    if (tcb.isClosed) return undefined;
    let at = earliest(tcb.sender.deadline(), tcb.receiver?.ackAt);
    at = earliest(at, earliest(tcb.timeWaitUntil, tcb.openBy));
    if (tcb.sender.progressAt !== undefined) at = earliest(at, tcb.sender.progressAt + tcb.userTimeoutMs);
    return this.#mayProbe ? earliest(at, tcb.keepAlive.at()) : at;
  }

  wake(now: Instant): void {
    const tcb = this.#tcb;
    if (tcb.isClosed) return;
    this.#overslept(now);
    if (tcb.timeWaitUntil !== undefined && now >= tcb.timeWaitUntil) {
      tcb.close(undefined);
      return;
    }
    const { progressAt } = tcb.sender;
    const opening = tcb.openBy !== undefined && now >= tcb.openBy;
    if (opening || (progressAt !== undefined && now >= progressAt + tcb.userTimeoutMs)) {
      tcb.close(tcb.softError ?? networkFailure("timed-out", "the peer does not answer"));
      return;
    }
    const receiver = tcb.receiver;
    receiver?.wake(now);
    const timedOut = tcb.sender.wake(now);
    if (timedOut && !tcb.synchronized) tcb.sendSyn = true;
    if (timedOut) this.#suspectBlackHole(now);
    if (this.#mayProbe && now >= tcb.keepAlive.at() && !tcb.keepAlive.probe()) {
      tcb.close(networkFailure("timed-out", "the peer answers no keep-alive probe"));
    }
    if (tcb.wantsToSend()) tcb.ready();
  }

  /** Time in which nobody here ran proves nothing about the peer. */
  #overslept(now: Instant): void {
    const tcb = this.#tcb;
    const ms = now - (this.deadline() ?? now);
    if (ms < sleptMinMs) return;
    tcb.keepAlive.overslept(ms);
    if (tcb.openBy !== undefined) tcb.openBy += ms;
    if (tcb.sender.progressAt !== undefined) tcb.sender.progressAt += ms;
  }

  /** RFC 8899 §4.3, RFC 4821 §7.7: what times out again and again may be too large for the way. */
  #suspectBlackHole(now: Instant): void {
    const tcb = this.#tcb;
    const { sender } = tcb;
    const { suspect } = sender;
    if (suspect === 0 || !tcb.synchronized) return;
    const beside = tcb.writer.headerSize + 20 + (tcb.timestamps.agreed ? 12 : 0);
    const mtu = tcb.env.vanished(tcb.tuple.remote, suspect + beside, now);
    if (mtu !== undefined) sender.tryLess(mtu - beside);
  }

  get #mayProbe(): boolean {
    const tcb = this.#tcb;
    return tcb.keepAlive.isOn && tcb.synchronized && tcb.sender.flight.isEmpty;
  }
}
