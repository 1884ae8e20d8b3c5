import { escaped, showMs } from "./html.js";
import type { RecordedEvent, Side } from "./recording.js";

const size = { width: 720, height: 150, left: 70, bottom: 24 } as const;

/** A number that ends tell of themselves while a session goes on. */
interface Curve {
  readonly title: string;
  readonly event: string;
  readonly field: string;
  readonly unit: string;
}

/** Drawn where they are told of; by qlog's names, which QUIC uses. */
const curves: readonly Curve[] = [
  { title: "congestion window", event: "recovery_metrics_updated", field: "congestion_window", unit: "bytes" },
  { title: "bytes in flight", event: "recovery_metrics_updated", field: "bytes_in_flight", unit: "bytes" },
  { title: "smoothed round-trip time", event: "recovery_metrics_updated", field: "smoothed_rtt", unit: "ms" },
];

/** Curves over time of what was told, one chart a number; nothing where nobody told. */
export function charts(events: readonly RecordedEvent[], elapsedMs: number): string {
  return curves.map((curve) => chart(curve, events, elapsedMs)).join("\n");
}

function chart({ title, event, field, unit }: Curve, events: readonly RecordedEvent[], elapsedMs: number): string {
  const points = events.flatMap(({ at, side, name, data }) => {
    const value = data[field];
    return name.endsWith(`:${event}`) && typeof value === "number" ? [{ at, side, value }] : [];
  });
  const highest = Math.max(...points.map(({ value }) => value));
  if (!(highest > 0)) return "";
  const x = (at: number) => size.left + (at / Math.max(elapsedMs, 1)) * (size.width - size.left - 8);
  const y = (value: number) => 10 + (1 - value / highest) * (size.height - size.bottom - 10);
  const line = (side: Side) => {
    const of = points.filter((point) => point.side === side);
    const steps = of.map(
      ({ at, value }, i) => `${i === 0 ? "M" : "H"}${x(at).toFixed(1)}${i === 0 ? " " : "V"}${y(value).toFixed(1)}`,
    );
    return of.length === 0 ? "" : `<path class="${side}" d="${steps.join("")}H${x(elapsedMs).toFixed(1)}"/>`;
  };
  const floor = size.height - size.bottom;
  return [
    `<figure><figcaption>${escaped(title)}</figcaption><svg class="chart" viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="${escaped(title)}">`,
    `<line class="life" x1="${size.left}" y1="${floor}" x2="${size.width - 8}" y2="${floor}"/>`,
    `<text class="time" x="${size.left - 6}" y="14" text-anchor="end">${Math.round(highest)} ${unit}</text>`,
    `<text class="time" x="${size.width - 8}" y="${size.height - 6}" text-anchor="end">${showMs(elapsedMs)}</text>`,
    line("client"),
    line("server"),
    "</svg></figure>",
  ].join("");
}
