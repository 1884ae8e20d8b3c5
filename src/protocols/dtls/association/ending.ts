import type { Instant } from "../../../contract/index.js";
import { alertFailure, alertName, alerts, reasons } from "../../tls/index.js";
import { type DtlsFailure, dtlsFailure, explained } from "../failure.js";
import { lingerMs } from "../limits.js";
import { contentType } from "../record/content-type.js";
import type { RecordSealer } from "../record/protection.js";
import { Alerts } from "./alerts.js";
import type { Core } from "./core.js";

/** How an association ends: who said so, what is said about it, and for how long it stays to say it again. */
export class Ending {
  failure: DtlsFailure | undefined;
  /** Nobody needs it any more. */
  isGone = false;
  /** The application wants to close, when all is sent. */
  isWanted = false;
  readonly #core: Core;
  readonly #alerts = new Alerts();
  readonly #ended: () => void;
  readonly #fail: (failure: DtlsFailure) => void;
  /** Nothing of the session follows; until then a peer that has not heard of it is told again. */
  #endedBy: Instant | undefined;
  #peerClosed = false;

  /** `fail` goes by way of the handshake, which answers with `failed`; `ended` is called once. */
  constructor(core: Core, fail: (failure: DtlsFailure) => void, ended: () => void) {
    this.#core = core;
    this.#fail = fail;
    this.#ended = ended;
  }

  /** Ended, well or badly. */
  get isOver(): boolean {
    return this.#endedBy !== undefined;
  }

  get deadline(): Instant | undefined {
    return this.#endedBy;
  }

  due(now: Instant): void {
    if (this.#endedBy !== undefined && this.#endedBy <= now) this.go();
  }

  fail(failure: DtlsFailure): void {
    if (this.failure === undefined && !this.isOver) this.#fail(failure);
  }

  /** The handshake says that it has failed. */
  failed(failure: DtlsFailure): void {
    if (this.failure !== undefined) return;
    this.failure = failure;
    this.#core.trace("failed", { reason: failure.reason, fault: failure.fault, at: failure.at });
    const isToldByPeer = failure.byPeer || reasons[failure.reason].alert === undefined;
    this.end(failure, !isToldByPeer);
  }

  /** With a word to the peer, or silently. */
  end(failure: DtlsFailure | undefined, withAlert: boolean): void {
    if (this.isOver) return;
    const { id, now } = this.#core;
    this.#endedBy = now + (withAlert ? lingerMs : 0);
    if (withAlert) this.#alerts.say(failure?.code ?? alerts.close_notify);
    this.#ended();
    this.#core.tell({ kind: "ended", association: id, failure });
  }

  /** A warning of 1.2; the session goes on. */
  warn(code: number): void {
    this.#alerts.warn(code);
  }

  /** An alert of the peer's. */
  receive(bytes: Uint8Array, at: number, size: number, epoch: number): void {
    const core = this.#core;
    if (size !== 2) {
      core.drop("malformed-message");
      return;
    }
    // Without protection anybody can say it; before anything protected has come there is nothing better (RFC 9147 §4.5.2).
    if (epoch === 0 && core.isProtected) {
      core.drop("unauthenticated-alert");
      return;
    }
    const level = bytes[at]!;
    const code = bytes[at + 1]!;
    core.trace("alert_received", { alert: alertName(code), level });
    if (code === alerts.close_notify) {
      if (core.isConfirmed) {
        this.#peerClosed = true;
        this.end(undefined, true);
      } else this.fail(dtlsFailure("truncated-stream", "close_notify", "the peer closed the session before it began"));
    } else if (code !== alerts.user_canceled && !(level === 1 && core.version !== "1.3")) {
      this.fail(explained(alertFailure(code), core.options.psks));
    }
  }

  /** The peer ends too, and that is that. Or it goes on: alerts are lost like everything else, so it is told again. */
  heardAfter(type: number, epoch: number): void {
    const isBelievable = epoch > 0 || !this.#core.isProtected;
    if (type === contentType.alert) {
      if (isBelievable) this.#peerClosed = true;
    } else this.#alerts.sayAgain();
  }

  /** Writes an alert, if there is one to say; answers its size. */
  write(into: Uint8Array, sealer: RecordSealer): number {
    const size = this.#alerts.write(into, sealer);
    if (size === 0 && this.isOver && this.#peerClosed) this.go();
    return size;
  }

  go(): void {
    if (this.isGone) return;
    this.isGone = true;
    const { epochs, handshake, id } = this.#core;
    epochs.destroy();
    handshake.wipe();
    this.#core.tell({ kind: "gone", association: id });
  }
}
