import { alerts } from "../../tls/index.js";
import { limits } from "../limits.js";
import { contentType } from "../record/content-type.js";
import type { RecordSealer } from "../record/protection.js";

/** What is said in alerts (RFC 9846 §6). They are lost like everything else, so a last word can be said again. */
export class Alerts {
  #warning: number | undefined;
  #last: number | undefined;
  /** The last word waits to be sent. */
  #isDue = false;
  #repeats = 0;
  #warnings = 0;

  /** The last word: close_notify, or why it ended. */
  say(code: number): void {
    this.#last = code;
    this.#isDue = true;
  }

  /** A warning of 1.2, a few times. */
  warn(code: number): void {
    if (++this.#warnings <= limits.alertRepeatsMax) this.#warning = code;
  }

  /** Who goes on has not heard it. */
  sayAgain(): void {
    if (this.#last === undefined || this.#isDue || this.#repeats >= limits.alertRepeatsMax) return;
    this.#repeats++;
    this.#isDue = true;
  }

  /** Writes a record, if there is something to say; answers its size. */
  write(into: Uint8Array, sealer: RecordSealer): number {
    const code = this.#warning ?? (this.#isDue ? this.#last : undefined);
    if (code === undefined) return 0;
    const isWarning = this.#warning !== undefined || code === alerts.close_notify;
    if (this.#warning !== undefined) this.#warning = undefined;
    else this.#isDue = false;
    into[sealer.headroom] = isWarning ? 1 : 2;
    into[sealer.headroom + 1] = code;
    return sealer.seal(into, 0, 2, contentType.alert);
  }
}
