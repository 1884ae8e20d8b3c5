import type { Instant } from "../../contract/index.js";
import { timestampSize } from "./messages/layout.js";

/** TAI64N label of a moment (§5.1), with the low bits cleared so that it tells no precise clock. */
export function tai64n(now: Instant): Uint8Array {
  const seconds = Math.floor(now / 1_000);
  const nanoseconds = Math.floor((now - seconds * 1_000) * 1_000_000) & ~0xff_ffff;
  const label = new Uint8Array(timestampSize);
  const view = new DataView(label.buffer);
  view.setBigUint64(0, 2n ** 62n + 10n + BigInt(seconds));
  view.setUint32(8, nanoseconds);
  return label;
}

/** Is `a` later than `b`? Labels are big-endian. */
export function isLater(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < timestampSize; i++) if (a[i] !== b[i]) return a[i]! > b[i]!;
  return false;
}
