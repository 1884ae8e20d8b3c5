import { readFileSync } from "node:fs";
import type { DatagramPort, Identity, Instant, TraceEvent } from "../../src/contract/index.js";
import { Secret } from "../../src/contract/index.js";
import { nodeHost } from "../../src/hosts/node/index.js";
import { DatagramDriver } from "../../src/mechanisms/driver/index.js";
import { createVerifier, isPkiFailure, readPrivateKey } from "../../src/pki/index.js";
import {
  answerIke,
  Ike,
  type IkeConfig,
  type IkeConnection,
  type IkeEvent,
  type IkeInput,
  type IkeKnowledge,
  ikeId,
  selector,
} from "../../src/protocols/ikev2/index.js";
import { authority, der, type IdentityName, identity } from "./peers/certificates.js";
import type { StrongSwan } from "./peers/strongswan.js";

export const host = nodeHost();
export const psk = { kind: "psk", secret: Secret.copy(new TextEncoder().encode("test-psk-not-secret")) } as const;

type Told = Exclude<IkeEvent, { kind: "question" }>;

/** Who signs with a certificate of the run. */
export function signer(name: IdentityName): Identity {
  const { certificate, key } = identity(name);
  const pkcs8 = readPrivateKey(readFileSync(key, "utf8"), { provider: host.crypto });
  if (isPkiFailure(pkcs8)) throw pkcs8;
  const own = host.crypto.privateKey(pkcs8.expose())!;
  return {
    certificates: der(certificate),
    publicKey: own.publicKey,
    sign: (algorithm, message) => own.sign(algorithm, message),
  };
}

export interface OursOptions {
  readonly connection?: Partial<IkeConnection>;
  readonly config?: Partial<IkeConfig>;
  readonly knowledge?: IkeKnowledge;
  /** Port of the peer that it speaks to first. Default 4500, where ESP goes too. */
  readonly port?: number;
}

/** Our end of the wire to a strongSwan: its port, its machine, and what that told. */
export class Ours implements AsyncDisposable {
  readonly machine: Ike;
  readonly told: Told[] = [];
  readonly traced: TraceEvent[] = [];
  readonly driver: DatagramDriver<IkeInput, IkeEvent>;
  readonly peer: StrongSwan;
  readonly #watchers = new Set<() => void>();

  static async open(peer: StrongSwan, options: OursOptions = {}): Promise<Ours> {
    const ours = new Ours(peer, options);
    await ours.bind();
    return ours;
  }

  /** One that is connected to: at ports 500 and 4500 of our end of the wire, which is nobody else's. */
  static async answering(peer: StrongSwan, options: OursOptions): Promise<Ours> {
    const ours = new Ours(peer, options, false);
    await ours.bind(peer.ours, 500);
    await ours.bind(peer.ours, 4_500);
    return ours;
  }

  private constructor(
    peer: StrongSwan,
    { connection, config, knowledge = {}, port = 4_500 }: OursOptions,
    isInitiator = true,
  ) {
    this.peer = peer;
    this.machine = new Ike({
      crypto: host.crypto,
      entropy: host.entropy,
      connections: [
        {
          name: "t",
          ...(isInitiator && { remote: { address: peer.address, port } }),
          localId: ikeId("client.taps.test"),
          remoteId: ikeId("server.taps.test"),
          local: psk,
          remoteAuthentication: psk,
          children: [{ name: "c", local: [selector("10.1.0.0/24")], remote: [selector("10.2.0.0/24")] }],
          ...connection,
        },
      ],
      trace: (event) => void this.traced.push(event),
      ...config,
    });
    const verifier = createVerifier({ provider: host.crypto, profile: "path", anchors: der(authority()) });
    this.driver = new DatagramDriver<IkeInput, IkeEvent>(host, this.machine, {
      event: (event) => {
        this.told.push(event);
        for (const check of [...this.#watchers]) check();
      },
      answer: (question, signal) => answerIke(question, { verifier, ...knowledge }, host.now() as Instant, signal),
    });
  }

  bind(address = this.peer.ours, port = 0): Promise<DatagramPort> {
    return this.driver.bind(host.network, { address, port });
  }

  give(input: IkeInput): this {
    this.driver.handle(input);
    return this;
  }

  connect(): this {
    return this.give({ kind: "connect", connection: "t" });
  }

  of<K extends Told["kind"]>(kind: K): Extract<Told, { kind: K }>[] {
    return this.told.filter((event): event is Extract<Told, { kind: K }> => event.kind === kind);
  }

  /** The nth event of a kind. Rejects if the IKE SA ends instead, and after a minute. */
  async tells<K extends Told["kind"]>(kind: K, nth = 1): Promise<Extract<Told, { kind: K }>> {
    for (;;) {
      const found = this.of(kind)[nth - 1];
      if (found !== undefined) return found;
      const closed = this.of("closed")[0] ?? this.of("child-failed")[0];
      if (closed !== undefined)
        throw new Error(`${closed.failure.reason}: ${closed.failure.message}\n${this.#story()}`);
      await new Promise<void>((again, no) => {
        const late = setTimeout(() => no(new Error(`no ${kind}\n${this.#story()}`)), 60_000);
        const watcher = (): void => {
          clearTimeout(late);
          this.#watchers.delete(watcher);
          again();
        };
        this.#watchers.add(watcher);
      });
    }
  }

  #story(): string {
    return `${this.traced.map(({ name, data }) => `${name} ${JSON.stringify(data)}`).join("\n")}\n${JSON.stringify(this.machine.drops)}\n${this.peer.said}`;
  }

  /** Says goodbye and hears the answer, so that strongSwan does not go on asking for us; if there is none, it goes all the same. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { ike } of this.machine.status()) this.give({ kind: "disconnect", ike });
    for (let tries = 0; this.machine.status().length > 0 && tries < 200; tries++) {
      await new Promise((again) => setTimeout(again, 10));
    }
    this.give({ kind: "close" });
    this.driver.close();
  }
}
