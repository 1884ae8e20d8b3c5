import { type InterfaceName, type Profile, requireInterface } from "../contract/index.js";

/** What a probe may use. */
export interface ProbeContext {
  readonly signal: AbortSignal;
}

/**
 * Proves one cell: makes real sessions, causes the effect, observes it at the other end, and answers with what it saw.
 * Whatever it throws or rejects with makes the cell `failed`.
 */
export type Probe = (context: ProbeContext) => Promise<string>;

/** How a protocol proves its row. Each built protocol has one module that exports it. */
export interface ProtocolProbes {
  readonly profile: Profile;
  /** One for each cell that the profile fills, by the table or beyond it; a cell without a probe fails. */
  readonly cells: Readonly<Partial<Record<InterfaceName, Probe>>>;
  /** Asks for a cell that the profile leaves blank. Must reject with the typed refusal. */
  ask(cell: InterfaceName, context: ProbeContext): Promise<unknown>;
  /** Handshakes to show in a demonstration, each with its data moved. */
  readonly shows: readonly Show[];
}

/** One line of the demonstration. */
export interface Show {
  /** Who is at both ends: "Sealport ↔ OpenSSL 3.0 server". */
  readonly title: string;
  run(context: ProbeContext): Promise<Shown>;
}

export interface Shown {
  readonly version: string;
  readonly keyExchange: string;
  readonly cipher: string;
  /** Round trips from the first byte of the handshake until application data could be sent. */
  readonly roundTrips: number;
  /** Bytes of application data that came back intact. */
  readonly bytes: number;
  /** Who proved to be whom: "server by certificate". */
  readonly authenticated: string;
  readonly ms: number;
}

/**
 * A proof's sentence. It says who took part: our own two ends, and behind them another implementation if one was at hand.
 * @param others - what another implementation did, which names it
 */
export const evidence = (ours: string, others?: string): string =>
  others === undefined ? `own ends: ${ours}` : `own ends: ${ours}; ${others}`;

/** Throws unless what was seen is what must be seen. */
export function see(seen: unknown, what: string): asserts seen {
  if (!seen) throw new Error(`not seen: ${what}`);
}

/**
 * Asks a session for a blank: rejects with the typed refusal, or answers with the method that offers it after all.
 * @param methods - by which a session would offer what is left blank
 */
export function askBlank(
  profile: Profile,
  cell: InterfaceName,
  session: object,
  methods: Readonly<Partial<Record<InterfaceName, readonly string[]>>>,
): unknown {
  return methods[cell]?.find((name) => name in session) ?? requireInterface(profile, cell);
}
