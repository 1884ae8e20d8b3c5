import { equal } from "../../bytes/index.js";
import { Failure, type Host, type SocketAddress } from "../../contract/index.js";
import { type Probe, see } from "../probe.js";
import { type Authority, newAuthority } from "./authority.js";
import type { Ears } from "./ears.js";

/** Who and what plays on a protocol's stage, as types. */
export interface Cast {
  readonly client: object;
  readonly server: object;
  readonly end: StageEnd;
  readonly listener: { readonly local: SocketAddress; close(): Promise<void> | void };
  /** A path with an observer on it. */
  readonly wire: AsyncDisposable & { readonly port: number };
}

/** An end of a session, from the moment that it is opened. */
export interface StageEnd extends Ears {
  session: {
    readonly confirmed: Promise<object>;
    readonly outcome: object | undefined;
    close(): void;
    abort(): void;
  };
  say(words: string | Uint8Array): void;
}

export type OutcomeOf<C extends Cast> = Awaited<C["end"]["session"]["confirmed"]>;

/** How a protocol's sessions are opened: its doors, and the ends that are told. */
export interface Opener<C extends Cast> {
  readonly end: () => C["end"];
  connect(remote: SocketAddress, options: C["client"], end: C["end"]): C["end"]["session"];
  listen(
    local: SocketAddress,
    options: C["server"],
    accept: (session: C["end"]["session"]) => C["end"],
  ): Promise<C["listener"]>;
  /** Goes with the first flight. */
  sayEarly(end: C["end"], bytes: Uint8Array): void;
  /** A wire to a port of 127.0.0.1. */
  wire(port: number): Promise<C["wire"]>;
}

/** What the probes play on. The tests change one thing of it, and see that the probe notices. */
export interface Stage<C extends Cast> {
  readonly host: Host;
  readonly authority: Authority;
  /** Two ends of ours that have shaken hands across the host's loopback, observed on the way. */
  meet(client: C["client"], server: C["server"], how?: How): Promise<Meeting<C>>;
  /** Two ends of ours that must not come together: answers what each of them says. */
  clash(client: C["client"], server: C["server"]): Promise<{ readonly client: Failure; readonly server: Failure }>;
  /** Our client with a server on this port. */
  visit(port: number, client: C["client"]): Promise<Visit<C>>;
  /** Our server, for the next client. */
  receive(server: C["server"]): Promise<Reception<C>>;
}

export interface How {
  /** What goes before the handshake is over. */
  readonly early?: Uint8Array;
}

export interface Meeting<C extends Cast> extends AsyncDisposable {
  readonly client: C["end"];
  readonly server: C["end"];
  readonly outcome: { readonly client: OutcomeOf<C>; readonly server: OutcomeOf<C> };
  readonly listener: C["listener"];
  readonly wire: C["wire"];
}

export interface Visit<C extends Cast> extends AsyncDisposable {
  readonly client: C["end"];
  readonly outcome: OutcomeOf<C>;
}

export interface Reception<C extends Cast> extends AsyncDisposable {
  readonly port: number;
  readonly listener: C["listener"];
  /** All that have come so far, the failed ones too. */
  readonly ends: readonly C["end"][];
  /** The end of the first client that proved itself; rejects if a handshake fails before. */
  readonly server: Promise<C["end"]>;
}

const loopback = "127.0.0.1";

/** The stage of a real run: our own two ends on the host's loopback. */
export function openStageOf<C extends Cast>(host: Host, opener: Opener<C>, authority = newAuthority(host)): Stage<C> {
  async function receive(options: C["server"]): Promise<Reception<C>> {
    let arrived!: (end: C["end"]) => void;
    let failed!: (reason: unknown) => void;
    const server = new Promise<C["end"]>((resolve, reject) => {
      arrived = resolve;
      failed = reject;
    });
    server.catch(() => {});
    const ends: C["end"][] = [];
    const listener = await opener.listen({ address: loopback, port: 0 }, options, (session) => {
      const end = opener.end();
      end.session = session;
      ends.push(end);
      session.confirmed.then(() => arrived(end), failed);
      return end;
    });
    return {
      port: listener.local.port,
      listener,
      ends,
      server,
      [Symbol.asyncDispose]: async () => {
        for (const { session } of ends) session.abort();
        await listener.close();
      },
    };
  }

  /** Starts at once; the end is there before anything has happened. */
  function start(port: number, options: C["client"], early?: Uint8Array): C["end"] {
    const end = opener.end();
    end.session = opener.connect({ address: loopback, port }, options, end);
    if (early !== undefined) opener.sayEarly(end, early);
    return end;
  }

  return {
    host,
    authority,
    receive,

    async meet(clientOptions, serverOptions, how = {}): Promise<Meeting<C>> {
      const reception = await receive(serverOptions);
      const wire = await opener.wire(reception.port);
      const client = start(wire.port, clientOptions, how.early);
      const end = async () => {
        client.session.abort();
        await reception[Symbol.asyncDispose]();
        await wire[Symbol.asyncDispose]();
      };
      try {
        const [ours, server] = await Promise.all([client.session.confirmed, reception.server]);
        const outcome = { client: ours as OutcomeOf<C>, server: server.session.outcome as OutcomeOf<C> };
        return { client, server, wire, listener: reception.listener, outcome, [Symbol.asyncDispose]: end };
      } catch (error) {
        await end();
        throw error;
      }
    },

    async clash(clientOptions, serverOptions) {
      await using reception = await receive(serverOptions);
      const client = start(reception.port, clientOptions);
      // A client of TLS 1.3 may be confirmed before the server has refused it; then it hears of it as its end.
      const end = client.session.confirmed.then(() => client.isOver());
      const both = Promise.allSettled([end, reception.server]);
      const settled = await Promise.race([both, peace(client, reception.server)]);
      client.session.abort();
      if (settled === "peace") throw new Error("not seen: that the two do not come together");
      const [ours, theirs] = settled;
      return { client: failureOf(ours, "client"), server: failureOf(theirs, "server") };
    },

    async visit(port, options): Promise<Visit<C>> {
      const client = start(port, options);
      const outcome = (await client.session.confirmed) as OutcomeOf<C>;
      return { client, outcome, [Symbol.asyncDispose]: async () => client.session.close() };
    },
  };
}

/** Makes a probe of a proof on this stage. Of what the proof has made nothing is left when its time is over. */
export const on =
  <C extends Cast, S extends Stage<C>>(stage: S & Stage<C>) =>
  (proof: (stage: S, signal: AbortSignal) => Promise<string>): Probe =>
  ({ signal }) => {
    const keep = <T extends AsyncDisposable>(made: T): T => {
      signal.addEventListener("abort", () => void made[Symbol.asyncDispose](), { once: true });
      return made;
    };
    const { meet, receive, visit }: Stage<C> = stage;
    const kept: Pick<Stage<C>, "meet" | "receive" | "visit"> = {
      meet: async (...args) => keep(await meet(...args)),
      receive: async (...args) => keep(await receive(...args)),
      visit: async (...args) => keep(await visit(...args)),
    };
    return proof({ ...stage, ...kept }, signal);
  };

/** The ends say the same words to each other. */
export async function bothSay({ client, server }: Pair, words: string): Promise<void> {
  client.say(words);
  await server.hearsText(words);
  server.say(words);
  await client.hearsText(words);
}

/** A payload goes to the server and comes back. */
export async function echoed({ client, server }: Pair, payload: Uint8Array): Promise<void> {
  client.say(payload);
  see(equal(await server.hears(payload.length), payload), "the bytes at the server");
  server.say(payload);
  see(equal(await client.hears(payload.length), payload), "the bytes back at the client");
}

interface Pair {
  readonly client: StageEnd;
  readonly server: StageEnd;
}

/** Answers when a byte has come from the server to the client; never if that cannot be. */
function peace(client: StageEnd, server: Promise<StageEnd>): Promise<"peace"> {
  return new Promise((resolve) => {
    server
      .then((end) => {
        end.say("!");
        return client.hears(1);
      })
      .then(
        () => resolve("peace"),
        () => {},
      );
  });
}

function failureOf(settled: PromiseSettledResult<unknown>, who: string): Failure {
  const found = settled.status === "rejected" ? settled.reason : settled.value;
  if (found instanceof Failure) return found;
  if (settled.status === "rejected") throw settled.reason;
  throw new Error(`not seen: that the ${who} fails`);
}
