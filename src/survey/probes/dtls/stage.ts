import { Failure, type Host, type SocketAddress } from "../../../contract/index.js";
import {
  connect,
  type DtlsClientOptions,
  type DtlsListener,
  type DtlsOutcome,
  type DtlsServerOptions,
  type DtlsSession,
  type DtlsSink,
  listen,
} from "../../../protocols/dtls/index.js";
import { type Authority, newAuthority } from "../../stage/authority.js";

/** What the probes play on. */
export interface Stage {
  readonly host: Host;
  readonly authority: Authority;
  /** Two ends of ours that have shaken hands across the host's loopback. */
  meet(client: DtlsClientOptions, server: DtlsServerOptions, early?: Uint8Array): Promise<Meeting>;
  /** Two ends of ours that must not come together: what each of them says. */
  clash(client: DtlsClientOptions, server: DtlsServerOptions): Promise<{ client: Failure; server: Failure }>;
  /** A listener alone, and the ends that it accepts. */
  receive(server: DtlsServerOptions): Promise<Reception>;
}

export interface Reception extends AsyncDisposable {
  readonly listener: DtlsListener;
  readonly ends: readonly End[];
}

export interface Meeting extends AsyncDisposable {
  readonly client: End;
  readonly server: End;
  readonly outcome: { readonly client: DtlsOutcome; readonly server: DtlsOutcome };
  readonly listener: DtlsListener;
}

/** One end of a session that listens and remembers. */
export class End implements DtlsSink {
  session!: DtlsSession;
  readonly heard: string[] = [];
  readonly early: string[] = [];
  readonly told: string[] = [];
  #over: { readonly failure: Failure | undefined } | undefined;
  #watchers: (() => void)[] = [];

  say(words: string): void {
    this.session.send(new TextEncoder().encode(words));
  }

  async hears(words: string): Promise<void> {
    await this.#until(() => this.heard.includes(words));
  }

  /** Resolves when this has been told so many times. */
  async tells(what: string, times = 1): Promise<void> {
    await this.#until(() => this.told.filter((each) => each === what).length >= times);
  }

  /** Resolves when the session is over, with the failure if it ended badly. */
  async isOver(): Promise<Failure | undefined> {
    await this.#until(() => this.#over !== undefined, true);
    return this.#over!.failure;
  }

  confirmed(): void {
    this.#tell("confirmed");
  }

  datagrams(bytes: Uint8Array): void {
    this.heard.push(new TextDecoder().decode(bytes));
    this.#tell("datagrams");
  }

  earlyDatagram(bytes: Uint8Array): void {
    this.early.push(new TextDecoder().decode(bytes));
    this.#tell("early");
  }

  keyUpdated(direction: "read" | "write"): void {
    this.#tell(`new keys to ${direction}`);
  }

  ticket(): void {
    this.#tell("ticket");
  }

  moved(_from: SocketAddress, _to: SocketAddress): void {
    this.#tell("moved");
  }

  closed(failure?: Failure): void {
    this.#over = { failure };
    this.#tell("closed");
  }

  #tell(what: string): void {
    this.told.push(what);
    for (const watcher of this.#watchers.splice(0)) watcher();
  }

  async #until(seen: () => boolean, despiteEnd = false): Promise<void> {
    while (!seen()) {
      if (this.#over !== undefined && !despiteEnd) {
        throw this.#over.failure ?? new Error("the session was closed before this was seen");
      }
      await new Promise<void>((told) => this.#watchers.push(told));
    }
  }
}

const local = { address: "127.0.0.1", port: 0 };

/** The stage of a real run: our own two ends on the host's loopback. */
export function openStage(host: Host): Stage {
  const receive = async (options: DtlsServerOptions): Promise<Reception> => {
    const ends: End[] = [];
    const listener = await listen(host, local, options, (session) => {
      const end = new End();
      end.session = session;
      ends.push(end);
      return end;
    });
    const end = async () => {
      for (const { session } of ends) session.abort();
      await listener.close();
    };
    return { listener, ends, [Symbol.asyncDispose]: end };
  };
  const start = (remote: SocketAddress, options: DtlsClientOptions, early?: Uint8Array): End => {
    const end = new End();
    end.session = connect(host, remote, options, end);
    if (early !== undefined) end.session.sendEarly(early);
    return end;
  };
  return {
    host,
    authority: newAuthority(host),
    receive,

    async meet(clientOptions, serverOptions, early): Promise<Meeting> {
      const reception = await receive(serverOptions);
      const client = start(reception.listener.local, clientOptions, early);
      const dispose = async () => {
        client.session.abort();
        await reception[Symbol.asyncDispose]();
      };
      try {
        const outcome = await client.session.confirmed;
        const server = reception.ends[0]!;
        const theirs = await server.session.confirmed;
        const { listener } = reception;
        return {
          client,
          server,
          listener,
          outcome: { client: outcome, server: theirs },
          [Symbol.asyncDispose]: dispose,
        };
      } catch (error) {
        await dispose();
        throw error;
      }
    },

    async clash(clientOptions, serverOptions) {
      await using reception = await receive(serverOptions);
      const client = start(reception.listener.local, clientOptions);
      // A client of 1.3 may be confirmed before the server has refused it; then it hears of it as its end.
      const ours = await client.isOver();
      const theirs = await reception.ends[0]?.isOver();
      if (!(ours instanceof Failure && theirs instanceof Failure)) throw new Error("not seen: that both ends fail");
      return { client: ours, server: theirs };
    },
  };
}

/** The same stage, of which nothing is left when the signal says that a proof has come to nothing. */
export function within(stage: Stage, signal: AbortSignal): Stage {
  const kept = <T extends AsyncDisposable>(made: T): T => {
    signal.addEventListener("abort", () => void made[Symbol.asyncDispose](), { once: true });
    return made;
  };
  return {
    ...stage,
    meet: async (...args) => kept(await stage.meet(...args)),
    receive: async (...args) => kept(await stage.receive(...args)),
  };
}
