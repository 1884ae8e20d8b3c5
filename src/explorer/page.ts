import { charts } from "./chart.js";
import { type Conditions, fields } from "./conditions.js";
import { escaped, showMs } from "./html.js";
import { ladder } from "./ladder.js";
import { limits } from "./limits.js";
import type { RecordedPacket, Recording } from "./recording.js";
import { type Scene, scenes } from "./scenes.js";

/** What a page is about: a scene, perhaps another beside it, under the same conditions. */
export interface Choice {
  readonly scene: Scene;
  readonly beside: Scene | undefined;
  readonly conditions: Conditions;
}

/** One page without scripts or outside resources. With `links` it has a form, and links to what else a server has. */
export function page(choice: Choice, recordings: readonly Recording[], links: boolean): string {
  const title = [choice.scene, choice.beside].flatMap((each) => each?.title ?? []).join(" beside ");
  return `${[
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">`,
    `<title>${escaped(title)} · Sealport</title><style>${style}</style></head><body>`,
    `<header><h1>Secure transports, packet by packet</h1>${links ? form(choice) : conditionsOf(choice.conditions)}</header>`,
    `<main>${recordings.map((recording, i) => section(recording, i, links ? choice : undefined)).join("\n")}</main>`,
    "</body></html>",
  ].join("\n")}\n`;
}

/** The page of a request that cannot be. */
export function refusal(message: string): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Sealport</title><style>${style}</style><p>${escaped(message)}</p><p><a href="/">Begin again</a></p></html>\n`;
}

function form({ scene, beside, conditions }: Choice): string {
  const select = (name: string, chosen: Scene | undefined, none: boolean) =>
    [
      `<label>${name} <select name="${name}">`,
      ...(none ? [`<option value="">nothing</option>`] : []),
      ...scenes.map(
        (each) => `<option value="${each.name}"${each === chosen ? " selected" : ""}>${escaped(each.title)}</option>`,
      ),
      "</select></label>",
    ].join("");
  const numbers = Object.entries(fields).map(
    ([key, { name, about, min, max }]) =>
      `<label>${escaped(about)} <input type="number" name="${name}" min="${min}" max="${max}" value="${conditions[key as keyof Conditions]}"></label>`,
  );
  return `<form method="get" action="/">${select("scene", scene, false)}${select("beside", beside, true)}${numbers.join("")}<button>Play</button></form>`;
}

const conditionsOf = (conditions: Conditions): string =>
  `<p>${Object.entries(fields)
    .map(([key, { about }]) => `${escaped(about)}: ${conditions[key as keyof Conditions]}`)
    .join(" · ")}</p>`;

function section(recording: Recording, index: number, choice: Choice | undefined): string {
  const { packets, events, standingMs, elapsedMs, outcome, failure } = recording;
  const { title, about } = scenes.find(({ name }) => name === recording.scene)!;
  const anchor = `p${index}-`;
  const sent = (side: string) => packets.filter(({ from }) => from === side);
  const bytes = (of: readonly RecordedPacket[]) => of.reduce((sum, each) => sum + each.bytes.length, 0);
  const facts = [
    ...(failure === undefined ? [] : [["failed", failure] as const]),
    ["the session stood after", standingMs === undefined ? "never" : showMs(standingMs)] as const,
    ["all was over after", showMs(elapsedMs)] as const,
    ...(["client", "server"] as const).map(
      (side) => [`from the ${side}`, `${sent(side).length} packets, ${bytes(sent(side))} bytes`] as const,
    ),
    ["lost on the way", String(packets.filter(({ arrival }) => arrival === undefined).length)] as const,
    ...outcome,
  ];
  const query = choice && new URLSearchParams({ scene: recording.scene, ...queryOf(recording.conditions) });
  return [
    `<section><h2>${escaped(title)}</h2><p>${escaped(about)}</p>`,
    `<dl>${facts.map(([what, value]) => `<dt>${escaped(what)}</dt><dd>${escaped(value)}</dd>`).join("")}</dl>`,
    query === undefined
      ? ""
      : `<p><a href="/capture.pcapng?${escaped(String(query))}">capture for Wireshark, with its secrets</a> · <a href="/recording.json?${escaped(String(query))}">JSON</a></p>`,
    ladder(packets, anchor),
    charts(events, elapsedMs),
    `<h3>Packets</h3>${packets
      .slice(0, limits.drawnPacketsMax)
      .map((packet, i) => details(packet, `${anchor}${i}`))
      .join("\n")}`,
    `<details><summary>What the ends told of themselves (${events.length})</summary><table>${events
      .map(
        ({ at, side, name, data }) =>
          `<tr><td>${showMs(at)}<td>${side}<td>${escaped(name)}<td><code>${escaped(JSON.stringify(data))}</code></tr>`,
      )
      .join("\n")}</table></details></section>`,
  ].join("\n");
}

/** Conditions as a query has them. */
export const queryOf = (conditions: Conditions): Record<string, string> =>
  Object.fromEntries(
    Object.entries(fields).map(([key, { name }]) => [name, String(conditions[key as keyof Conditions])]),
  );

function details(packet: RecordedPacket, id: string): string {
  const { at, from, arrival, what, label, messages, bytes } = packet;
  const fate =
    arrival === undefined ? (what ?? "lost") : `there at ${showMs(arrival)}${what === undefined ? "" : `, ${what}`}`;
  return [
    `<details id="${id}"><summary>${showMs(at)} ${from}: ${escaped(label)}, ${bytes.length} bytes, ${escaped(fate)}</summary>`,
    messages.length === 0 ? "" : `<p>${escaped(messages.join(" · "))}</p>`,
    `<pre>${hex(bytes)}</pre></details>`,
  ].join("");
}

/** Sixteen bytes a line, with what of them is text. */
function hex(bytes: Uint8Array): string {
  const lines: string[] = [];
  const end = Math.min(bytes.length, limits.shownBytesMax);
  for (let at = 0; at < end; at += 16) {
    const row = [...bytes.subarray(at, Math.min(at + 16, end))];
    const digits = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const text = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
    lines.push(`${at.toString(16).padStart(4, "0")}  ${digits.padEnd(47)}  ${escaped(text)}`);
  }
  if (bytes.length > end) lines.push(`… ${bytes.length - end} bytes more`);
  return lines.join("\n");
}

const style = `
:root{color-scheme:light dark;--client:#0a58ca;--server:#b02a37;--faint:#8886}
@media(prefers-color-scheme:dark){:root{--client:#6ea8fe;--server:#ea868f}}
body{font:15px/1.45 system-ui,sans-serif;margin:1.5rem auto;max-width:100rem;padding:0 1rem}
main{display:flex;flex-wrap:wrap;gap:2rem}section{flex:1 1 34rem;min-width:0}
form{display:flex;flex-wrap:wrap;gap:.4rem 1rem;align-items:end}input{width:6.5em}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem}dt{opacity:.7}dd{margin:0;overflow-wrap:anywhere}
svg{width:100%;height:auto}svg text{font:11px system-ui,sans-serif;fill:currentColor}svg .side{font-weight:600;font-size:13px}
svg .time{opacity:.6;font-size:10px}svg .life{stroke:var(--faint)}
.client{stroke:var(--client);fill:none}.server{stroke:var(--server);fill:none}
g text{paint-order:stroke;stroke:Canvas;stroke-width:3px}g.client text{fill:var(--client)}g.server text{fill:var(--server)}g.lost line{stroke-dasharray:4 3}
marker path{fill:currentColor}a:hover g line{stroke-width:2}
pre{overflow-x:auto;font-size:12px}table{font-size:12px;border-collapse:collapse}td{padding:.1em .6em;vertical-align:top}
code{overflow-wrap:anywhere}details:target{outline:2px solid var(--faint)}summary{cursor:pointer}`;
