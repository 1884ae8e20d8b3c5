import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TlsOutcome, TlsVersion } from "../../src/protocols/tls/index.js";
import { connectOurs, type OurEnd, type OurExtras, OurServer } from "./ours.js";
import { type StrangerEnd, type StrangerName, strangers, type TlsSetup } from "./peers/index.js";

/** One way to speak TLS, tried with each of the strangers, and from both seats unless only one makes sense. */
export interface Row {
  readonly what: string;
  readonly both?: TlsSetup;
  readonly server?: TlsSetup;
  readonly client?: TlsSetup;
  readonly extras?: OurExtras;
  readonly with: readonly StrangerName[];
  readonly seats?: readonly ("client" | "server")[];
  /** What our end must have agreed on. */
  readonly agreed?: Partial<TlsOutcome>;
  readonly check?: (outcome: TlsOutcome, seat: "client" | "server") => void;
  /** What must be read in the stranger's output. */
  readonly seen?: { readonly client?: RegExp; readonly server?: RegExp };
}

export const everyone: readonly StrangerName[] = ["OpenSSL 3.0", "OpenSSL 3.5", "GnuTLS 3.7", "GnuTLS 3.8", "node:tls"];
/** The versions whose every row is tried. */
export const versions: readonly TlsVersion[] = ["1.3", "1.2"];
export const label = "EXPORTER-sealport";

/** Can this stranger, as a server, say something of its own? */
export const speaks = (name: StrangerName): boolean => !name.startsWith("GnuTLS");

export function tabulate(title: string, rows: readonly Row[]): void {
  describe(title, { concurrency: 2 }, () => {
    for (const row of rows) {
      for (const name of row.with) {
        for (const seat of row.seats ?? (["client", "server"] as const)) {
          const way = seat === "client" ? `our client to ${name}` : `${name} to our server`;
          test(`${row.what}: ${way}`, () =>
            meet(name, seat, row, (ours, theirs) => converse(row, name, seat, ours, theirs)));
        }
      }
    }
  });
}

/** Brings our end and a stranger together, ours in the given seat. */
export async function meet(
  name: StrangerName,
  seat: "client" | "server",
  row: Pick<Row, "both" | "server" | "client" | "extras">,
  talk: (ours: OurEnd, theirs: StrangerEnd) => Promise<void>,
): Promise<void> {
  const server: TlsSetup = { exporterLabel: label, ...row.both, ...row.server };
  const client: TlsSetup = { exporterLabel: label, ...row.both, ...row.client };
  if (seat === "client") {
    await using theirs = await strangers[name].serve(server);
    await using ours = connectOurs(theirs.port, client, row.extras);
    await talk(ours, theirs);
  } else {
    await using listener = await OurServer.start(server, row.extras);
    await using theirs = strangers[name].connect(listener.port, client);
    // A program that ends before it comes would be waited for in vain.
    const gone = theirs.program.ends().then(() => Promise.reject(new Error(`${name} ended: ${theirs.program.said}`)));
    const ours = await Promise.race([listener.next(), gone]);
    gone.catch(() => {});
    await talk(ours, theirs);
  }
}

/** Exporters are equal, bytes go both ways, both sides say goodbye. */
async function converse(
  row: Row,
  name: StrangerName,
  seat: "client" | "server",
  ours: OurEnd,
  theirs: StrangerEnd,
): Promise<void> {
  const outcome = await ours.outcome();
  for (const [key, value] of Object.entries(row.agreed ?? {})) {
    assert.deepEqual(outcome[key as keyof TlsOutcome], value, key);
  }
  row.check?.(outcome, seat);
  assert.equal(await ours.exporter(), await theirs.exporter());
  await ours.say("ours speaks");
  await theirs.hears("ours speaks");
  if (seat === "server" || speaks(name)) {
    await theirs.say("theirs speaks");
    await ours.hears("theirs speaks");
  } else await ours.hears("ours speaks");
  const seen = row.seen?.[seat === "client" ? "server" : "client"];
  if (seen) await theirs.program.says(seen);
  await (seat === "client" ? ours.close() : theirs.close());
  await ours.tells("ended");
  await ours.close();
  assert.equal(await ours.ending(), undefined);
}
