import {
  type SymCipherName,
  symCiphers,
  type TcpcryptOptions,
  type TepName,
  teps,
} from "../protocols/tcpcrypt/index.js";
import type { SecurityInit } from "../taps/index.js";
import { UsageError } from "./exit.js";
import type { SessionValues } from "./session-options.js";
import { didYouMean } from "./suggest.js";
import type { TargetWithOptions } from "./url.js";

/** What `tcpcrypt:` takes: key agreements, ciphers and the a bit from the query; and a tunnel, for its TCP must be ours. */
export function tcpcryptSecurityOf({ query }: Pick<TargetWithOptions, "query">, values: SessionValues): SecurityInit {
  if (values.tunnel === undefined) {
    throw new UsageError(
      "tcpcrypt: needs --tunnel",
      "the system's TCP negotiates no TCP-ENO, the one inside a tunnel does",
    );
  }
  const aware = query["aware"]?.[0];
  if (aware !== undefined && aware !== "offer" && aware !== "require") {
    throw new UsageError(`aware is offer or require, not ${aware}`);
  }
  const options: TcpcryptOptions = {
    ...(query["teps"] && { teps: query["teps"].map((each) => known("TCPCRYPT_ECDHE_", each, teps)) as TepName[] }),
    ...(query["ciphers"] && {
      ciphers: query["ciphers"].map((each) => known("AEAD_", each, symCiphers)) as SymCipherName[],
    }),
    ...(aware !== undefined && { applicationAware: aware }),
  };
  return { protocolOptions: { tcpcrypt: { ...options } } };
}

/** The name of the registry, with or without what all of them begin with. */
function known(prefix: string, given: string, rows: readonly { readonly name: string }[]): string {
  const names = rows.map(({ name }) => name);
  const wanted = given.toLowerCase();
  const found = names.find((name) => [name, name.slice(prefix.length)].some((each) => each.toLowerCase() === wanted));
  if (found !== undefined) return found;
  const short = names.map((name) => name.slice(prefix.length));
  throw new UsageError(`${given} is not known`, didYouMean(given, short) ?? `one of ${short.join(", ")}`);
}
