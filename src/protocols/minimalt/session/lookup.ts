import { toHex } from "../../../bytes/index.js";
import type { Failure, SocketAddress } from "../../../contract/index.js";
import { type MinimaltFailure, type MinimaltReason, minimaltFailure } from "../failure.js";
import { suiteByName, suiteDefault } from "../keys.js";
import { firstPacketMin, recordMarginMs } from "../limits.js";
import type { MinimaltClientOptions, MinimaltOptions, MinimaltOutcome } from "../options.js";
import type { Approach } from "../tunnel/client.js";
import {
  type HostRecord,
  type RecordProblem,
  type RecordTrust,
  readRecord,
  type ServiceRecord,
} from "../wire/record.js";
import type { Errand, Station } from "./station.js";

/** How a look-up ends: with what the first packet to the server needs, or with why there is nothing. */
export interface Found {
  approach(approach: Approach): void;
  failed(failure: MinimaltFailure): void;
}

/**
 * From the name of a host to its record (§3.4, §5.1, §5.2): at hand, in the cache, or asked for. T1 goes to the long-term key of a
 * directory and learns D'; T2 goes to D' and learns S'. A server that is its own directory tells its record in T1.
 */
export class Lookup {
  readonly #station: Station;
  readonly #remote: SocketAddress;
  readonly #options: MinimaltClientOptions;
  readonly #found: Found;
  #running: { cancel(): void } | undefined;
  #isOver = false;

  constructor(station: Station, remote: SocketAddress, options: MinimaltClientOptions, found: Found) {
    this.#station = station;
    this.#remote = remote;
    this.#options = options;
    this.#found = found;
  }

  begin(): void {
    const { record, cache, serverName = "", directory, serverBoxKey, serverKey } = this.#options;
    const known = record ?? cache?.get(this.#cacheName(serverName));
    const read = known && this.#read(known, this.#trust);
    if (typeof read === "object" && read.notAfter - this.#now > recordMarginMs) this.#succeed(read, 0);
    // What was given is what is meant: no other takes its place.
    else if (record !== undefined) this.#fail(typeof read === "string" ? read : "expired-record");
    else if (directory !== undefined) this.#askDirectory(directory);
    else if (serverBoxKey !== undefined) {
      this.#ask(this.#firstApproach(this.#remote, serverBoxKey), serverName, (found) => {
        const own = this.#read(found, this.#trust);
        if (typeof own === "string") this.#fail(own);
        else this.#keep(own, found, 1);
      });
    } else this.#fail(typeof read === "string" ? read : "no-record", serverKey);
  }

  cancel(): void {
    this.#isOver = true;
    this.#running?.cancel();
  }

  #askDirectory({ at, key, boxKey }: NonNullable<MinimaltClientOptions["directory"]>): void {
    const { cache, serverName = "" } = this.#options;
    const cacheName = `directory ${toHex(key)}`;
    const trust: RecordTrust = { serverKey: key };
    const second = (directory: HostRecord, trips: 1 | 2): void => {
      this.#ask(approachOf(directory, at, this.#options, outcomeOf(directory, trips)), serverName, (found) => {
        const read = this.#read(found, this.#trust);
        if (typeof read === "string") this.#fail(read);
        else this.#keep(read, found, trips);
      });
    };
    const known = cache?.get(cacheName);
    const read = known && this.#read(known, trust);
    if (typeof read === "object" && read.notAfter - this.#now > recordMarginMs) {
      second(read, 1);
      return;
    }
    this.#ask(this.#firstApproach(at, boxKey), "", (found) => {
      const own = this.#read(found, trust);
      if (typeof own === "string") this.#fail(own);
      else {
        cache?.set(cacheName, found, own.notAfter);
        second(own, 2);
      }
    });
  }

  #ask(approach: Approach, name: string, then: (record: ServiceRecord) => void): void {
    const errand: Errand = {
      what: { kind: "request", name },
      done: (record, failure) => {
        if (this.#isOver) return;
        if (record !== undefined) then(record);
        else if (failure !== undefined) this.#found.failed(whole(failure));
        else this.#fail("no-record");
      },
    };
    this.#running = this.#station.run(approach, errand);
  }

  /** T1: to the long-term key of whom we ask, by NaCl's boxes. */
  #firstApproach(to: SocketAddress, boxKey: Uint8Array): Approach {
    const suite = suiteByName(suiteDefault)!;
    const outcome: MinimaltOutcome = {
      peer: undefined,
      serverName: "",
      suite: suite.name,
      resumed: false,
      roundTrips: 0,
    };
    return { to, serverKey: boxKey, boxKey, suite, firstPacketMin, outcome, options: errandOptions(this.#options) };
  }

  #keep(read: HostRecord, record: ServiceRecord, trips: 1 | 2): void {
    const { cache, serverName = "" } = this.#options;
    cache?.set(this.#cacheName(serverName), record, read.notAfter);
    this.#succeed(read, trips);
  }

  #succeed(record: HostRecord, trips: 0 | 1 | 2): void {
    const { suites, directory, record: given } = this.#options;
    if (suites !== undefined && !suites.includes(record.suite.name)) {
      this.#fail("no-common-suite");
      return;
    }
    // The application said where the server is, unless it left that to the directory.
    const to = directory !== undefined && given === undefined ? record.at : this.#remote;
    this.#found.approach(approachOf(record, to, this.#options, outcomeOf(record, trips)));
  }

  #read(record: ServiceRecord, trust: RecordTrust): HostRecord | RecordProblem {
    return readRecord(this.#station.host.crypto, record, trust, this.#now);
  }

  get #trust(): RecordTrust {
    const { serverKey, authorities, serverName } = this.#options;
    return { serverKey, authorities, name: serverName };
  }

  get #now(): number {
    return this.#station.host.now();
  }

  /** A server without a name is known by its key, or by where it is. */
  #cacheName(name: string): string {
    const { serverKey } = this.#options;
    const { address, port } = this.#remote;
    return `${name} ${serverKey === undefined ? `${address} ${port}` : toHex(serverKey)}`;
  }

  #fail(reason: MinimaltReason, hint?: unknown): void {
    const message = problems[reason as RecordProblem | "no-record"];
    this.#found.failed(
      minimaltFailure(reason, "record", message, hint === undefined ? {} : { hint: "give a record, or who knows it" }),
    );
  }
}

const problems: Readonly<Record<RecordProblem | "no-record", string>> = {
  "bad-record": "the server's record is not signed by who is trusted, or is of another host",
  "expired-record": "the server's record is out of date",
  "unknown-version": "the server's record is of another version of the protocol",
  "no-common-suite": "the server's record names a suite that is not allowed",
  "no-record": "nobody has a record of this host",
};

function approachOf(
  record: HostRecord,
  to: SocketAddress,
  options: MinimaltClientOptions,
  outcome: MinimaltOutcome,
): Approach {
  const { ephemeralKey, boxKey, suite } = record;
  return {
    to,
    serverKey: ephemeralKey,
    boxKey,
    suite,
    // A record may ask for more than we ever send, but for no less than an answer may be long.
    firstPacketMin: Math.min(Math.max(record.firstPacketMin, firstPacketMin), firstPacketMax),
    outcome,
    options,
  };
}

/** What fits into every packet of ours. */
const firstPacketMax = 1_200;

const outcomeOf = (record: HostRecord, roundTrips: 0 | 1 | 2): MinimaltOutcome => ({
  peer: { kind: "static-key", key: record.key },
  serverName: record.name,
  suite: record.suite.name,
  resumed: roundTrips === 0,
  roundTrips,
});

/** Errands have no users and no keys but their own. */
const errandOptions = ({ trace }: MinimaltOptions): MinimaltClientOptions => ({ trace, keepAliveMs: 0 });

const whole = (failure: Failure): MinimaltFailure => failure as MinimaltFailure;
