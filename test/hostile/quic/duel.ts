import { fromHex } from "../../../src/bytes/index.js";
import type { Answer, Instant, SocketAddress } from "../../../src/contract/index.js";
import { Secret, wake } from "../../../src/contract/index.js";
import { seededEntropy } from "../../../src/crypto/index.js";
import type { Connection } from "../../../src/protocols/quic/connection/connection.js";
import { QuicEndpoint } from "../../../src/protocols/quic/endpoint/endpoint.js";
import type { QuicFailure } from "../../../src/protocols/quic/failure.js";
import type { QuicClientOptions, QuicServerOptions } from "../../../src/protocols/quic/index.js";
import type { QuicEvent } from "../../../src/protocols/quic/vocabulary.js";
import { answerQuestion, scopeOf } from "../../../src/protocols/tls/answers.js";
import { dialects } from "../../../src/protocols/tls/index.js";
import { provider } from "../../support/provider.js";
import { identityFor, startOfTime, trusting } from "../../support/tls-pair.js";

export type Role = "client" | "server";

export interface Datagram {
  readonly bytes: Uint8Array;
  readonly from: SocketAddress;
  readonly to: SocketAddress;
}

const identity = identityFor("Ed25519");
export const addresses: Readonly<Record<Role, SocketAddress>> = {
  client: { address: "192.0.2.1", port: 5_000 },
  server: { address: "198.51.100.1", port: 443 },
};

/** One end, all that it told, and all that it sent. */
export class Fighter {
  readonly role: Role;
  readonly endpoint: QuicEndpoint;
  readonly options: QuicClientOptions & QuicServerOptions;
  readonly events: QuicEvent[] = [];
  readonly sent: Datagram[] = [];
  readonly #buffer = new Uint8Array(65_535);

  constructor(role: Role, options: QuicClientOptions & QuicServerOptions, now: Instant, seed: number) {
    this.role = role;
    this.options = options;
    const ground = { crypto: provider, entropy: seededEntropy(`${role} ${seed}`) };
    const make = role === "client" ? QuicEndpoint.client : QuicEndpoint.server;
    this.endpoint = make.call(QuicEndpoint, ground, options, now);
  }

  /** The first connection. */
  get connection(): Connection | undefined {
    return this.endpoint.connection(1);
  }

  get failure(): QuicFailure | undefined {
    for (const event of this.events) if (event.kind === "closed") return event.failure;
    return undefined;
  }

  tells(kind: QuicEvent["kind"]): boolean {
    return this.events.some((event) => event.kind === kind);
  }

  /** Takes a datagram that somebody sent. */
  hear({ bytes, from, to }: Datagram, now: Instant): void {
    this.endpoint.handle({ kind: "datagrams", bytes: bytes.slice(), from, to, segmentSize: bytes.length, ecn: 0 }, now);
  }

  /** Everything that it has to send now; questions are answered. */
  async drain(now: Instant): Promise<Datagram[]> {
    const out: Datagram[] = [];
    for (let busy = true; busy; ) {
      busy = false;
      for (
        let t = this.endpoint.transmit(this.#buffer, now);
        t !== undefined;
        t = this.endpoint.transmit(this.#buffer, now)
      ) {
        busy = true;
        const step = t.segmentSize ?? t.size;
        for (let at = 0; at < t.size; at += step) {
          const bytes = this.#buffer.slice(at, Math.min(t.size, at + step));
          out.push({ bytes, from: t.from ?? addresses[this.role], to: t.to! });
        }
      }
      for (let event = this.endpoint.event(); event !== undefined; event = this.endpoint.event()) {
        busy = true;
        this.events.push(event);
        if (event.kind === "question") this.endpoint.handle(await this.#answer(event), now);
      }
    }
    this.sent.push(...out);
    return out;
  }

  async #answer(event: QuicEvent & { readonly kind: "question" }): Promise<Answer> {
    const { earlyData: _, versions: __, ...options } = this.options;
    const by = {
      options,
      crypto: provider,
      dialect: dialects.quic,
      scope: { ...scopeOf(options, "server.test", 443), configuration: "quic" },
    };
    const answer = await answerQuestion(event.question, by, new AbortController().signal);
    return { kind: "answer", id: event.id, answer };
  }
}

export interface DuelOptions {
  readonly client?: Omit<QuicClientOptions, "preferredAddress">;
  readonly server?: Omit<QuicServerOptions, "preferredAddress">;
  readonly seed?: number;
  /** What arrives in place of a datagram. */
  readonly onTheWay?: (from: Role, datagram: Datagram, index: number) => readonly Datagram[];
}

/** Two machines, and whoever stands between them: the secrets of both are known to the attacker. */
export class Duel {
  now: Instant = startOfTime;
  readonly client: Fighter;
  readonly server: Fighter;
  /** Traffic secrets by their key log labels. */
  readonly secrets = new Map<string, Uint8Array>();
  readonly #options: DuelOptions;
  #count = 0;

  constructor(options: DuelOptions = {}) {
    this.#options = options;
    const keyLog = (line: string): void => {
      const [label, , secret] = line.split(" ");
      this.secrets.set(label!, fromHex(secret!));
    };
    const shared = { alpn: ["test"], verify: trusting, suites: ["TLS_AES_128_GCM_SHA256"], keyLog } as const;
    const { client, server, seed = 1 } = options;
    this.client = new Fighter("client", { ...shared, serverName: "server.test", ...client }, this.now, seed);
    this.server = new Fighter("server", { ...shared, identity, ...server }, this.now, seed);
  }

  static async confirmed(options: DuelOptions = {}): Promise<Duel> {
    const duel = new Duel(options);
    duel.connect();
    await duel.settle();
    if (!duel.client.tells("confirmed") || !duel.server.tells("confirmed")) throw new Error("no handshake");
    return duel;
  }

  connect(): void {
    const { client, server } = addresses;
    this.client.endpoint.handle({ kind: "connect", connection: 1, local: client, remote: server }, this.now);
  }

  end(role: Role): Fighter {
    return role === "client" ? this.client : this.server;
  }

  secret(label: string): Secret {
    const bytes = this.secrets.get(label);
    if (bytes === undefined) throw new Error(`no ${label} yet`);
    return Secret.copy(bytes);
  }

  /** Lets them talk, five milliseconds a way, until neither says anything without being woken. */
  async settle(rounds = 200): Promise<void> {
    for (let i = 0; i < rounds; i++) {
      let moved = false;
      for (const end of [this.client, this.server]) {
        const other = end === this.client ? this.server : this.client;
        for (const datagram of await end.drain(this.now)) {
          moved = true;
          const arriving = this.#options.onTheWay?.(end.role, datagram, this.#count++) ?? [datagram];
          for (const each of arriving) other.hear(each, this.now);
        }
      }
      if (!moved) return;
      this.now += 5;
    }
    throw new Error("they never fall silent");
  }

  /** Lets time pass; both are woken when they want to be. */
  async pass(ms: number): Promise<void> {
    const until = this.now + ms;
    for (let i = 0; i < 10_000; i++) {
      const [a, b] = [this.client, this.server].map(({ endpoint }) => endpoint.deadline() ?? Number.POSITIVE_INFINITY);
      const at = Math.min(a!, b!);
      if (at > until) break;
      this.now = Math.max(this.now, at);
      for (const { endpoint } of [this.client, this.server]) endpoint.handle(wake, this.now);
      await this.settle();
    }
    this.now = Math.max(this.now, until);
  }
}
