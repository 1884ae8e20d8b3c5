import { networkFailure } from "../../contract/index.js";
import { ipBatch, ipList, ipUndo } from "./iproute.js";

/**
 * The rules behind which a tunnel is the default route: whatever the main table knows better than by its own default route
 * goes there, and so does everything from or to the tunnel's own UDP port; all else goes to the tunnel's table.
 */
function rulesOf(port: number): readonly string[] {
  return [
    `pref ${preference} ipproto udp sport ${port} lookup main protocol ${mark}`,
    `pref ${preference} ipproto udp dport ${port} lookup main protocol ${mark}`,
    `pref ${preference + 1} lookup main suppress_prefixlength 0 protocol ${mark}`,
    `pref ${preference + 2} lookup ${tableOf(port)} protocol ${mark}`,
  ];
}

/** Preferences and tables that others hardly use: behind what people write, before the main table's 32766. */
const preference = 31_000;
const tableBase = 100_000;
/** Whose a rule is (rtm_protocol): a number that no routing daemon has, so that nobody else's are taken for ours. */
const mark = 142;

/** The table of a tunnel that is the default route. */
export const tableOf = (port: number): number => tableBase + port;

/** Adds the rules; the table has its routes already. Answers what takes them back. */
export async function addRules(family: 4 | 6, port: number): Promise<() => Promise<void>> {
  const rules = rulesOf(port);
  await ipBatch(
    family,
    rules.map((rule) => `rule add ${rule}`),
  );
  return () => removeRules(family, port);
}

async function removeRules(family: 4 | 6, port: number): Promise<void> {
  await ipUndo(
    family,
    rulesOf(port).map((rule) => `rule del ${rule}`),
  );
}

/**
 * A process that was killed leaves its rules behind, while its device, and with that its table's routes, are gone: such
 * rules are removed. Rejects with `address-in-use` if a tunnel that lives is the default route.
 */
export async function removeStaleRules(family: 4 | 6): Promise<void> {
  const ports = new Set<number>();
  for (const rule of await ipList(family, "rule", "show")) {
    if (Number(rule["protocol"]) !== mark) continue;
    const table = Number(rule["table"]);
    // The first and the last to be removed both tell whose they are.
    const port = table >= tableBase ? table - tableBase : Number(rule["sport"] ?? rule["dport"]);
    if (port > 0) ports.add(port);
  }
  for (const port of ports) {
    const routes = await ipList(family, "route", "show", "table", `${tableOf(port)}`);
    if (routes.length === 0) await removeRules(family, port);
    else {
      throw networkFailure("address-in-use", `${String(routes[0]!["dev"])} is the default route already`, {
        hint: "one tunnel at a time can be",
      });
    }
  }
}
