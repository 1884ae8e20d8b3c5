import { type Host, Secret, type SocketAddress } from "../../../contract/index.js";
import { createVerifier } from "../../../pki/index.js";
import type { AssociationPair } from "../../../protocols/esp/index.js";
import {
  bindIke,
  type IkeConnection,
  type IkeEndpoint,
  type IkeKnowledge,
  type IkeNotice,
  type IkeOptions,
  type IkeSession,
  ikeId,
  selector,
} from "../../../protocols/ikev2/index.js";
import { type Authority, newAuthority } from "../../stage/authority.js";

export const names = { near: "near.survey.test", far: "far.survey.test" } as const;
export type Side = keyof typeof names;

/** One end, with what it told. */
export interface IkeEnd extends Disposable {
  readonly endpoint: IkeEndpoint;
  readonly told: IkeNotice[];
  readonly pairs: AssociationPair[];
}

/** Both ends of an IKE SA that was established. */
export interface Met extends Disposable {
  readonly near: IkeEnd;
  readonly far: IkeEnd;
  readonly session: IkeSession;
}

export interface Plan {
  readonly connection?: Partial<IkeConnection>;
  readonly options?: Partial<IkeOptions>;
  readonly knowledge?: IkeKnowledge;
}

const networks = { near: "10.1.0.0/24", far: "10.2.0.0/24" } as const;

/** Ends on the loopback, under an authority that was made for this run. */
export class IkeStage {
  readonly host: Host;
  readonly authority: Authority;
  readonly psk: { readonly kind: "psk"; readonly secret: Secret };

  constructor(host: Host) {
    this.host = host;
    this.authority = newAuthority(host);
    this.psk = { kind: "psk", secret: new Secret(host.entropy.fill(new Uint8Array(32))) };
  }

  /** Another secret than the run's. */
  otherPsk(): IkeStage["psk"] {
    return { kind: "psk", secret: new Secret(this.host.entropy.fill(new Uint8Array(32))) };
  }

  /** Connections that prove who they are by certificates of an authority's; the run's, by default. */
  async certified(side: Side, authority = this.authority): Promise<Plan> {
    const identity = await authority.identity(names[side]);
    const { crypto } = this.host;
    const verifier = createVerifier({ provider: crypto, profile: "path", anchors: [this.authority.certificate] });
    return {
      connection: { local: { kind: "certificate", identity }, remoteAuthentication: { kind: "certificate" } },
      knowledge: { identity, verifier },
    };
  }

  /** @param remote where the far end is; the far end itself has none */
  async end(side: Side, { connection, options, knowledge = {} }: Plan, remote?: SocketAddress): Promise<IkeEnd> {
    const told: IkeNotice[] = [];
    const pairs: AssociationPair[] = [];
    const other = side === "near" ? "far" : "near";
    const endpoint = await bindIke(this.host, {
      local: [{ address: "127.0.0.1", port: 0 }],
      connections: [
        {
          name: "net",
          ...(remote && { remote }),
          localId: ikeId(names[side]),
          remoteId: ikeId(names[other]),
          local: this.psk,
          remoteAuthentication: this.psk,
          children: [{ name: "lan", local: [selector(networks[side])], remote: [selector(networks[other])] }],
          ...connection,
        },
      ],
      knowledge: () => knowledge,
      on: (event) => {
        told.push(event);
        if (event.kind === "child") pairs.push(event.pair);
      },
      ...options,
    });
    return { endpoint, told, pairs, [Symbol.dispose]: () => endpoint.close() };
  }

  async far(plan: Plan = {}): Promise<IkeEnd> {
    return this.end("far", plan);
  }

  near(far: IkeEnd, plan: Plan = {}): Promise<IkeEnd> {
    return this.end("near", plan, far.endpoint.ports[0]!.local);
  }

  /** Two ends that have met, and their first child. */
  async meet(near: Plan, far: Plan, signal: AbortSignal): Promise<Met> {
    const there = await this.far(far);
    const here = await this.near(there, near);
    const met = {
      near: here,
      far: there,
      [Symbol.dispose]: () => {
        here[Symbol.dispose]();
        there[Symbol.dispose]();
      },
    };
    try {
      const session = await here.endpoint.connect("net");
      await until(() => here.pairs.length > 0 && there.pairs.length > 0, signal);
      return { ...met, session };
    } catch (error) {
      met[Symbol.dispose]();
      throw error;
    }
  }
}

export async function until(holds: () => boolean, signal: AbortSignal): Promise<void> {
  while (!holds()) {
    signal.throwIfAborted();
    await new Promise((again) => setTimeout(again, 5));
  }
}
