import {
  Failure,
  type InterfaceName,
  interfaceNames,
  type ProtocolName,
  rowlessProtocols,
  tableOne,
  tableRows,
} from "../contract/index.js";
import { cellMsMax, cellsAtOnce } from "./limits.js";
import type { ProbeContext, ProtocolProbes } from "./probe.js";
import type { Cell, CellStatus } from "./report.js";

export interface SurveyOptions {
  /** The built protocols; the rest of the table is `missing`. */
  readonly probes: readonly ProtocolProbes[];
  /** Cells to prove; all if left out. */
  readonly wanted?: (protocol: ProtocolName, cell: InterfaceName) => boolean;
  readonly signal?: AbortSignal;
}

/** Every protocol, the table's rows first. */
export const surveyed: readonly ProtocolName[] = [...tableRows, ...rowlessProtocols];

/** Proves the cells, some at a time since most of a proof is waiting, and yields them in the table's order. */
export async function* survey(options: SurveyOptions): AsyncGenerator<Cell, void, undefined> {
  const wanted = surveyed.flatMap((protocol) =>
    interfaceNames.map((cell) => [protocol, cell] as const).filter((pair) => options.wanted?.(...pair) ?? true),
  );
  const proving: Promise<Cell>[] = [];
  let next = 0;
  for (let done = 0; done < wanted.length; done++) {
    options.signal?.throwIfAborted();
    for (; next < wanted.length && next < done + cellsAtOnce; next++) {
      const [protocol, cell] = wanted[next]!;
      const probes = options.probes.find(({ profile }) => profile.protocol === protocol);
      const proof = prove(protocol, cell, probes, options);
      proof.catch(() => {}); // Who is interrupted does not come to await it.
      proving.push(proof);
    }
    yield await proving[done]!;
  }
}

async function prove(
  protocol: ProtocolName,
  cell: InterfaceName,
  probes: ProtocolProbes | undefined,
  { signal }: SurveyOptions,
): Promise<Cell> {
  if (probes === undefined) {
    return { protocol, interface: cell, status: "missing", evidence: `${protocol} is not built`, ms: 0 };
  }
  const started = performance.now();
  const done = (status: CellStatus, evidence: string): Cell => ({
    protocol,
    interface: cell,
    status,
    evidence,
    ms: Math.round((performance.now() - started) * 10) / 10,
  });
  const limit = new AbortController();
  const alarm = setTimeout(() => limit.abort(new Error(`no effect within ${cellMsMax} ms`)), cellMsMax);
  const context: ProbeContext = {
    signal: signal === undefined ? limit.signal : AbortSignal.any([signal, limit.signal]),
  };
  try {
    if (!fills(probes, cell)) return done("absent", await refused(probes, cell, context));
    const probe = probes.cells[cell];
    if (probe === undefined) throw new Error(`the profile fills ${protocol}/${cell}, and no probe proves it`);
    const evidence = await aborted(probe(context), context.signal);
    return done(inTable(protocol, cell) ? "demonstrated" : "beyond", evidence);
  } catch (error) {
    signal?.throwIfAborted();
    return done("failed", error instanceof Error ? error.message : String(error));
  } finally {
    clearTimeout(alarm);
  }
}

const inTable = (protocol: ProtocolName, cell: InterfaceName): boolean =>
  protocol in tableOne && tableOne[protocol as keyof typeof tableOne].includes(cell);

const fills = ({ profile }: ProtocolProbes, cell: InterfaceName): boolean =>
  inTable(profile.protocol, cell) || profile.interfaces.includes(cell) || profile.beyond[cell] !== undefined;

/** Asks for a blank, and answers with the refusal if it is the typed one that names the cell. */
async function refused(probes: ProtocolProbes, cell: InterfaceName, context: ProbeContext): Promise<string> {
  const name = `${probes.profile.protocol}/${cell}`;
  try {
    await aborted(probes.ask(cell, context), context.signal);
  } catch (error) {
    if (error instanceof Failure && error.reason === "unsupported" && error.at === name) return error.message;
    throw error;
  }
  throw new Error(`${name} is a blank, and asking for it was not refused`);
}

/** A probe that forgets its signal still ends in time. */
function aborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
