import { fromBase64, fromHex, parseAddress } from "../../../bytes/index.js";
import { Secret } from "../../../contract/index.js";
import { selectorOf, type TrafficSelector } from "../../esp/index.js";
import { failure } from "../failure.js";
import type { Section, Setting } from "./sections.js";

/** A line of the file that has no effect. */
export interface SwanctlWarning {
  readonly line: number;
  readonly message: string;
}

export const wrong = (line: number, message: string, hint?: string) =>
  failure("bad-configuration", `line ${line}: ${message}`, { at: `line ${line}`, ...(hint !== undefined && { hint }) });

/** Takes what a section says, one setting after another, and knows what nobody has asked for. */
export class Entries {
  readonly section: Section;
  readonly #warnings: SwanctlWarning[];
  readonly #taken = new Set<string>();

  constructor(section: Section, warnings: SwanctlWarning[]) {
    this.section = section;
    this.#warnings = warnings;
  }

  take(key: string): Setting | undefined {
    this.#taken.add(key);
    const setting = this.section.settings.get(key);
    return setting?.value === "" ? undefined : setting;
  }

  text(key: string): string | undefined {
    return this.take(key)?.value;
  }

  /** Values between commas. */
  list(key: string): readonly string[] {
    const text = this.text(key);
    return text === undefined
      ? []
      : text
          .split(",")
          .map((each) => each.trim())
          .filter((each) => each !== "");
  }

  flag(key: string): boolean | undefined {
    return this.#parsed(key, ({ value }) => flags.get(value.toLowerCase()), "is neither yes nor no");
  }

  /** Seconds: a number, or one with s, m, h or d. */
  seconds(key: string): number | undefined {
    return this.#parsed(key, ({ value }) => secondsOf(value), "is no time");
  }

  count(key: string, most = Number.MAX_SAFE_INTEGER): number | undefined {
    const read = ({ value }: Setting): number | undefined =>
      /^\d{1,16}$/.test(value) && Number(value) <= most ? Number(value) : undefined;
    return this.#parsed(key, read, "is no number that counts here");
  }

  sections(prefix: string): readonly Section[] {
    const found = [...this.section.sections.values()].filter(({ name }) => name.startsWith(prefix));
    for (const { name } of found) this.#taken.add(name);
    return found;
  }

  warn(line: number, message: string): void {
    this.#warnings.push({ line, message });
  }

  /** What is left must be known to have no effect here; what nobody knows is a mistake, and in a file about security none to pass over. */
  end(idle: readonly string[]): void {
    const known = new Set(idle);
    for (const [key, { line }] of this.section.settings) {
      if (this.#taken.has(key)) continue;
      if (key === "updown" || key === "hostaccess") throw wrong(line, `${key}: no file may run commands`);
      if (!known.has(key)) throw wrong(line, `${key} is not known`);
      this.warn(line, `${key} has no effect here`);
    }
    for (const { name, line } of this.section.sections.values()) {
      if (!this.#taken.has(name)) throw wrong(line, `section ${name} is not known`);
    }
  }

  #parsed<T>(key: string, read: (setting: Setting) => T | undefined, why: string): T | undefined {
    const setting = this.take(key);
    if (setting === undefined) return undefined;
    const value = read(setting);
    if (value === undefined) throw wrong(setting.line, `${key} = ${setting.value} ${why}`);
    return value;
  }
}

const flags: ReadonlyMap<string, boolean> = new Map([
  ...["yes", "true", "1", "enabled"].map((word) => [word, true] as const),
  ...["no", "false", "0", "disabled"].map((word) => [word, false] as const),
]);

const units: Readonly<Record<string, number>> = { "": 1, s: 1, m: 60, h: 3_600, d: 86_400 };

function secondsOf(text: string): number | undefined {
  const [, number, unit] = /^(\d{1,9})\s*([smhd]?)$/.exec(text) ?? [];
  return number === undefined ? undefined : Number(number) * units[unit!]!;
}

/** A secret as the file writes it: text, `0x` and hexadecimal, `0s` and base64. */
export function secretOf({ value, line }: Setting): Secret {
  const coded = value.slice(2);
  if (/^0x/i.test(value)) {
    if (coded.length % 2 !== 0 || !/^[0-9a-f]+$/i.test(coded)) throw wrong(line, "the secret is not hexadecimal");
    return new Secret(fromHex(coded));
  }
  if (/^0s/i.test(value)) {
    const bytes = fromBase64(coded);
    if (bytes === undefined) throw wrong(line, "the secret is not base64");
    return new Secret(bytes);
  }
  return new Secret(new TextEncoder().encode(value));
}

const protocols: ReadonlyMap<string, number> = new Map([
  ["icmp", 1],
  ["tcp", 6],
  ["udp", 17],
  ["ipv6-icmp", 58],
  ["sctp", 132],
  ["any", 0],
]);

/** A traffic selector: `dynamic`, an address, a prefix or a range, perhaps with `[protocol/port]` behind. */
export function selectorText(text: string, line: number): TrafficSelector | "dynamic" {
  const [, subject, protocolText, portText] = /^([^[\]]+?)(?:\[([^/\]]*)(?:\/([^\]]+))?\])?$/.exec(text) ?? [];
  if (subject === undefined) throw wrong(line, `${text} is no traffic selector`);
  if (subject === "dynamic") {
    if (protocolText !== undefined) throw wrong(line, `${text}: only all of what is dynamic can be asked for`);
    return "dynamic";
  }
  const ends = endsOf(subject);
  const protocol = protocolText === undefined ? 0 : protocolOf(protocolText);
  const ports = portText === undefined || portText === "any" ? [0, 65_535] : portsOf(portText);
  if (ends === undefined || protocol === undefined || ports === undefined) {
    throw wrong(line, `${text} is no traffic selector`);
  }
  return { protocol, ...ends, startPort: ports[0]!, endPort: ports[1]! };
}

const protocolOf = (text: string): number | undefined =>
  protocols.get(text.toLowerCase()) ?? (/^\d{1,3}$/.test(text) && Number(text) < 256 ? Number(text) : undefined);

function portsOf(text: string): readonly number[] | undefined {
  if (text === "opaque") return [65_535, 0];
  const [first, last = first, ...more] = text
    .split("-")
    .map((each) => (/^\d{1,5}$/.test(each) ? Number(each) : 65_536));
  return more.length === 0 && first! <= last! && last! < 65_536 ? [first!, last!] : undefined;
}

function endsOf(text: string): Pick<TrafficSelector, "start" | "end"> | undefined {
  const [addressText, lengthText, ...more] = text.split("/");
  const [first, last] = text.split("-").map((each) => parseAddress(each.trim()));
  if (first !== undefined && last !== undefined)
    return first.length === last.length ? { start: first, end: last } : undefined;
  const address = parseAddress(addressText!.trim());
  if (address === undefined || more.length > 0) return undefined;
  const bits = 8 * address.length;
  if (lengthText !== undefined && (!/^\d{1,3}$/.test(lengthText) || Number(lengthText) > bits)) return undefined;
  const { start, end } = selectorOf({ address, length: lengthText === undefined ? bits : Number(lengthText) });
  return { start, end };
}
