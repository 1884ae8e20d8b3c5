import { earliest, type Instant } from "../../contract/index.js";
import type { Inside } from "./config/inside.js";
import { failure, type OpenVpnFailure } from "./failure.js";

/** `ping`, `ping-restart` and `ping-exit`: who has nothing to say says that, and who hears nothing does not wait for ever. */
export class Liveness {
  /** A ping is to be sent. */
  isPingDue = false;
  #sentAt: Instant = 0;
  #receivedAt: Instant = 0;

  sent(now: Instant): void {
    this.#sentAt = now;
  }

  received(now: Instant): void {
    this.#receivedAt = now;
  }

  deadline({ pingMs, pingRestartMs, pingExitMs }: Inside): Instant | undefined {
    let at: Instant | undefined;
    if (pingMs > 0) at = this.#sentAt + pingMs;
    if (pingRestartMs > 0) at = earliest(at, this.#receivedAt + pingRestartMs);
    if (pingExitMs > 0) at = earliest(at, this.#receivedAt + pingExitMs);
    return at;
  }

  /** Has the silence been too long, and what follows? */
  wake(
    { pingMs, pingRestartMs, pingExitMs }: Inside,
    now: Instant,
  ): { readonly doing: "exit" | "restart"; readonly failure: OpenVpnFailure } | undefined {
    if (pingMs > 0 && now >= this.#sentAt + pingMs) {
      this.isPingDue = true;
      this.#sentAt = now;
    }
    const silentMs = now - this.#receivedAt;
    const told = (ms: number) => failure("ping-timeout", `nothing was heard from the server for ${ms} ms`);
    if (pingExitMs > 0 && silentMs >= pingExitMs) return { doing: "exit", failure: told(pingExitMs) };
    if (pingRestartMs > 0 && silentMs >= pingRestartMs) return { doing: "restart", failure: told(pingRestartMs) };
    return undefined;
  }
}
