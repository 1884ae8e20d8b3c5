import type { CryptoProvider, Entropy } from "../../contract/index.js";
import { Negotiation } from "./eno/negotiation.js";
import { tcpcryptFailure } from "./failure.js";
import { limits } from "./limits.js";
import type { TcpcryptClientOptions, TcpcryptOptions } from "./options.js";
import { type SymCipher, symCipherByName, symCiphers, type Tep, tepByName, teps } from "./parameters.js";
import type { ResumableSession } from "./sessions.js";

/** What every session stands on. */
export interface TcpcryptGround {
  readonly crypto: CryptoProvider;
  readonly entropy: Entropy;
}

/** Options, checked and whole. */
export interface TcpcryptConfig extends TcpcryptGround {
  readonly options: TcpcryptOptions;
  readonly opener: "active" | "passive";
  readonly teps: readonly Tep[];
  readonly ciphers: readonly SymCipher[];
  readonly framesPerKeyMax: number;
  /** Who the peer is to the cache, for active openers. */
  readonly scope: string | undefined;
}

/** Throws `bad-configuration`. */
export function tcpcryptConfig(
  { crypto, entropy }: TcpcryptGround,
  opener: "active" | "passive",
  options: TcpcryptClientOptions,
): TcpcryptConfig {
  const { framesPerKeyMax = limits.framesPerKeyMax, applicationAware = "no" } = options;
  if (!(Number.isInteger(framesPerKeyMax) && framesPerKeyMax >= 1 && framesPerKeyMax <= limits.framesPerKeyMax)) {
    throw bad("framesPerKeyMax", `a key serves 1 … ${limits.framesPerKeyMax} frames, not ${framesPerKeyMax}`);
  }
  if (!["no", "offer", "require"].includes(applicationAware)) throw bad("applicationAware", "no, offer or require");
  if (opener === "passive" && options.role === "A") throw bad("role", "a passive opener is always B (RFC 8547 §4.2)");
  return {
    crypto,
    entropy,
    options,
    opener,
    teps: known("teps", options.teps, teps, tepByName),
    ciphers: known("ciphers", options.ciphers, symCiphers, symCipherByName),
    framesPerKeyMax,
    scope: options.scope,
  };
}

/** The TCP-ENO of one connection. `offered` is what an active opener wants to resume. */
export function negotiationOf(
  config: TcpcryptConfig,
  options: TcpcryptClientOptions,
  offered: ResumableSession | undefined,
): Negotiation {
  const { crypto, entropy, opener, teps } = config;
  const { applicationAware = "no", sessions, freshOnly = false, opportunistic = false, role = "A" } = options;
  return new Negotiation({
    crypto,
    entropy,
    opener,
    b: opener === "passive" || role === "B",
    applicationAware,
    teps,
    offered,
    sessions: freshOnly ? undefined : sessions,
    givesUp: opportunistic,
  });
}

function known<Name extends string, Row extends { readonly name: string }>(
  at: string,
  asked: readonly Name[] | undefined,
  all: readonly Row[],
  byName: (name: Name) => Row,
): readonly Row[] {
  if (asked === undefined) return all;
  if (asked.length === 0) throw bad(at, "none is allowed, so nothing can be agreed on");
  return asked.map((name) => {
    const row = byName(name) as Row | undefined;
    if (row === undefined)
      throw bad(at, `tcpcrypt knows no ${name}; it knows ${all.map((each) => each.name).join(", ")}`);
    return row;
  });
}

const bad = (at: string, message: string) => tcpcryptFailure("bad-configuration", message, { at });
