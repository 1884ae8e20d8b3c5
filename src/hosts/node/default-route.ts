import { addressFamily } from "../../bytes/index.js";
import { networkFailure, type OuterFlow } from "../../contract/index.js";
import { ipBatch, ipList, ipUndo } from "./iproute.js";

/**
 * The rules behind which a tunnel is the default route: whatever the main table knows better than by its own default route
 * goes there, and so does what the tunnel itself sends outside; all else goes to the tunnel's table.
 */
function rulesOf(outside: readonly string[], table: number): readonly string[] {
  return [
    ...outside.map((selector) => `pref ${preference} ${selector} lookup main protocol ${mark}`),
    `pref ${preference + 1} lookup main suppress_prefixlength 0 protocol ${mark}`,
    `pref ${preference + 2} lookup ${table} protocol ${mark}`,
  ];
}

/** What a rule says of a flow, one for each of its directions. */
function selectorsOf(flow: OuterFlow, family: 4 | 6): readonly string[] {
  if (flow.transport === "udp") return [`ipproto udp sport ${flow.port}`, `ipproto udp dport ${flow.port}`];
  const { address, port } = flow.to;
  return addressFamily(address) === family ? [`to ${address} ipproto tcp dport ${port}`] : [];
}

/** Preferences and tables that others hardly use: behind what people write, before the main table's 32766. */
const preference = 31_000;
const tableBase = 100_000;
/** Whose a rule is (rtm_protocol): a number that no routing daemon has, so that nobody else's are taken for ours. */
const mark = 142;

/** The table of a tunnel that is the default route. */
export const tableOf = (outside: readonly OuterFlow[]): number => {
  const [first] = outside;
  return tableBase + (first === undefined ? 0 : first.transport === "udp" ? first.port : first.to.port);
};

/** The rules of one family, in force until they are taken back. */
export class DefaultRoute {
  readonly #family: 4 | 6;
  readonly #table: number;
  readonly #outside: string[] = [];

  /** Adds the rules; the table has its routes already. */
  static async add(family: 4 | 6, outside: readonly OuterFlow[]): Promise<DefaultRoute> {
    const route = new DefaultRoute(family, outside);
    await ipBatch(
      family,
      rulesOf(route.#outside, route.#table).map((rule) => `rule add ${rule}`),
    );
    return route;
  }

  private constructor(family: 4 | 6, outside: readonly OuterFlow[]) {
    this.#family = family;
    this.#table = tableOf(outside);
    this.#outside.push(...new Set(outside.flatMap((flow) => selectorsOf(flow, family))));
  }

  /** Keeps another flow outside, too, before it sends anything. */
  async alsoOutside(flow: OuterFlow): Promise<void> {
    const more = selectorsOf(flow, this.#family).filter((each) => !this.#outside.includes(each));
    this.#outside.push(...more);
    await ipBatch(
      this.#family,
      more.map((selector) => `rule add pref ${preference} ${selector} lookup main protocol ${mark}`),
    );
  }

  async takeBack(): Promise<void> {
    await ipUndo(
      this.#family,
      rulesOf(this.#outside, this.#table).map((rule) => `rule del ${rule}`),
    );
  }
}

/**
 * A process that was killed leaves its rules behind, while its device, and with that its table's routes, are gone: such
 * rules are removed. Rejects with `address-in-use` if a tunnel that lives is the default route.
 */
export async function removeStaleRules(family: 4 | 6): Promise<void> {
  const listed = await ipList(family, "rule", "show");
  const ours = listed.filter(({ protocol }) => Number(protocol) === mark);
  for (const { table } of ours) {
    if (Number(table) < tableBase) continue;
    const routes = await ipList(family, "route", "show", "table", `${Number(table)}`);
    if (routes.length === 0) continue;
    throw networkFailure("address-in-use", `${String(routes[0]!["dev"])} is the default route already`, {
      hint: "one tunnel at a time can be",
    });
  }
  await ipUndo(
    family,
    ours.map((rule) => `rule del ${textOf(rule)}`),
  );
}

/** A rule as it was listed, for `ip` to find again. */
function textOf(rule: Readonly<Record<string, unknown>>): string {
  const { priority, dst, ipproto, sport, dport, table } = rule;
  // Numbers for names are asked for, and `ip` writes this one so that it does not read it itself.
  const said = { to: dst, ipproto: (ipproto as string | undefined)?.replace("ipproto-", ""), sport, dport };
  const selectors = Object.entries(said).flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${value}`]));
  const suppress =
    rule["suppress_prefixlen"] === undefined ? "" : ` suppress_prefixlength ${rule["suppress_prefixlen"]}`;
  return `pref ${priority} ${selectors.join(" ")} lookup ${table}${suppress} protocol ${mark}`;
}
