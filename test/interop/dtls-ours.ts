import { type Failure, Secret } from "../../src/contract/index.js";
import {
  connect,
  type DtlsClientOptions,
  type DtlsListener,
  type DtlsOutcome,
  type DtlsServerOptions,
  type DtlsSession,
  type DtlsSink,
  listen,
} from "../../src/protocols/dtls/index.js";
import { host, ourIdentity, verify } from "./ours.js";
import { dtlsLabel, dtlsPsk } from "./peers/dtls.js";

const patienceMs = 20_000;

/** Our end of a DTLS conversation, with all that it was told kept for reading; a server gives back what it gets. */
export class OurDtlsEnd implements DtlsSink, AsyncDisposable {
  readonly heard: string[] = [];
  readonly told: string[] = [];
  session!: DtlsSession;
  readonly #echoes: boolean;
  #failure: Failure | undefined;
  #isClosed = false;
  readonly #watchers = new Set<() => void>();
  readonly #dispose: () => Promise<void> | undefined;

  constructor(echoes: boolean, dispose: () => Promise<void> | undefined = () => undefined) {
    this.#echoes = echoes;
    this.#dispose = dispose;
  }

  outcome(): Promise<DtlsOutcome> {
    return this.session.confirmed;
  }

  /** Taken when the session was confirmed: its end wipes the secrets. */
  exporter = "";

  say(text: string): void {
    this.session.send(new TextEncoder().encode(text));
  }

  async hears(text: string): Promise<void> {
    await this.#until(`hear ${text}`, () => this.heard.some((each) => each.includes(text)));
  }

  async tells(what: string): Promise<void> {
    await this.#until(`tell ${what}`, () => this.told.includes(what));
  }

  async ending(): Promise<Failure | undefined> {
    await this.#until("end", () => this.#isClosed);
    return this.#failure;
  }

  confirmed(_outcome: DtlsOutcome, session: DtlsSession): void {
    this.exporter = Buffer.from(session.exportKey(dtlsLabel, 32)).toString("hex");
    this.#tell("confirmed");
  }

  datagrams(bytes: Uint8Array): void {
    const text = new TextDecoder().decode(bytes);
    if (this.#echoes) this.session.send(bytes);
    this.heard.push(text);
    this.#tell("datagrams");
  }

  keyUpdated(direction: "read" | "write", byPeer: boolean): void {
    this.#tell(`keyUpdated ${direction}${byPeer ? " by peer" : ""}`);
  }

  messageMax(): void {
    this.#tell("messageMax");
  }

  moved(): void {
    this.#tell("moved");
  }

  ticket(): void {
    this.#tell("ticket");
  }

  closed(failure?: Failure): void {
    this.#isClosed = true;
    this.#failure = failure;
    this.#tell("closed");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.session?.abort();
    await this.#dispose();
  }

  #tell(what: string): void {
    this.told.push(what);
    for (const watcher of [...this.#watchers]) watcher();
  }

  #until(what: string, isSo: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (act: () => void) => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        act();
      };
      const look = () => {
        if (isSo()) done(resolve);
        else if (this.#isClosed)
          done(() => reject(this.#failure ?? new Error(`our end closed before it could ${what}`)));
      };
      const told = () => `our end did not ${what}; it told ${this.told.join()} and heard ${this.heard.join(" | ")}`;
      const timer = setTimeout(() => done(() => reject(new Error(told()))), patienceMs);
      this.#watchers.add(look);
      look();
    });
  }
}

const psks = [{ identity: new TextEncoder().encode(dtlsPsk.identity), key: new Secret(dtlsPsk.key.slice()) }];

/** How our end is to be, beside the options. */
export interface OurDtlsSetup {
  readonly psk?: boolean;
  readonly mutual?: boolean;
}

export function connectOurDtls(port: number, setup: OurDtlsSetup, options: DtlsClientOptions): OurDtlsEnd {
  const end = new OurDtlsEnd(false);
  const identity = setup.mutual === true ? { identity: ourIdentity("client") } : {};
  const whole = { serverName: "localhost", verify, ...identity, ...(setup.psk === true ? { psks } : {}), ...options };
  end.session = connect(host, { address: "127.0.0.1", port }, whole, end);
  return end;
}

export class OurDtlsServer implements AsyncDisposable {
  readonly listener: DtlsListener;
  readonly ends: OurDtlsEnd[] = [];

  private constructor(listener: DtlsListener, ends: OurDtlsEnd[]) {
    this.listener = listener;
    this.ends = ends;
  }

  static async start(setup: OurDtlsSetup, options: DtlsServerOptions): Promise<OurDtlsServer> {
    const ends: OurDtlsEnd[] = [];
    const asks = setup.mutual === true ? ({ clientAuthentication: "require" } as const) : {};
    const proof = setup.psk === true ? { psks } : { identity: ourIdentity("p256") };
    const local = { address: "127.0.0.1", port: 0 };
    const listener = await listen(host, local, { verify, ...asks, ...proof, ...options }, (session) => {
      const end = new OurDtlsEnd(true);
      end.session = session;
      ends.push(end);
      return end;
    });
    return new OurDtlsServer(listener, ends);
  }

  get port(): number {
    return this.listener.local.port;
  }

  async next(program: { readonly status: string | undefined }): Promise<OurDtlsEnd> {
    for (let tries = 0; tries < 1000; tries++) {
      const end = this.ends.at(-1);
      if (end !== undefined) return end;
      if (program.status !== undefined) throw new Error(`the client ${program.status}`);
      await new Promise((again) => setTimeout(again, 10));
    }
    throw new Error(`nobody came; dropped: ${JSON.stringify(this.listener.drops)}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.ends) end.session.abort();
    await this.listener.close();
  }
}
