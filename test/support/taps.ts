import type { Identity, PrivateKey } from "../../src/contract/index.js";
import { seededEntropy } from "../../src/crypto/index.js";
import { type LinkOptions, type SimulatedHost, simulate, type World } from "../../src/hosts/simulator/index.js";
import { makeAuthority, makeCertificate, makePrivateKey, writePem } from "../../src/pki/index.js";
import {
  type CandidateNode,
  protocolStacks,
  type SystemInit,
  type SystemPolicy,
  TransportServices,
} from "../../src/taps/index.js";
import { provider } from "./provider.js";

// Code is loaded in real time: all of it before a world begins, in which time is simulated.
await Promise.all(protocolStacks.map(({ load }) => load?.()));

/** The moment at which simulated worlds begin. */
const start = Date.UTC(2026, 0, 1);
const day = 86_400_000;

function newKey(seed: string): PrivateKey & { readonly pkcs8: Uint8Array } {
  const pkcs8 = makePrivateKey("P-256", seededEntropy(seed)).expose();
  return Object.assign(provider.privateKey(pkcs8)!, { pkcs8 });
}

/** An authority and a server that it vouches for, the same in every run. */
export function vouchedFor(...names: readonly string[]): Vouched {
  return vouchedForAt(start, ...names);
}

export interface Vouched {
  readonly root: Uint8Array;
  readonly identity: Identity;
  /** For programs that are no part of us: PEM of the chain and of the key. */
  readonly pem: { readonly cert: string; readonly key: string; readonly ca: string };
}

/** The same for another time: the real one, where real programs look on. */
export function vouchedForAt(now: number, ...names: readonly string[]): Vouched {
  const validity = { notBefore: now - day, notAfter: now + 365 * day };
  const authorityKey = newKey("authority");
  const entropy = seededEntropy(`certificates ${names.join(" ")}`);
  const authority = makeAuthority({
    provider,
    entropy,
    key: authorityKey,
    subject: { CN: "Test Authority" },
    ...validity,
  });
  const key = newKey("server");
  const certificate = makeCertificate({
    provider,
    entropy,
    key,
    san: names,
    issuer: { certificate: authority, privateKey: authorityKey },
    ...validity,
  });
  return {
    root: authority.raw,
    pem: {
      cert: writePem("CERTIFICATE", certificate.raw),
      key: writePem("PRIVATE KEY", key.pkcs8),
      ca: writePem("CERTIFICATE", authority.raw),
    },
    identity: {
      certificates: [certificate.raw],
      publicKey: key.publicKey,
      sign: (algorithm, message) => key.sign(algorithm, message),
    },
  };
}

/** Two hosts with a link between them, each with a Transport Services system. */
export interface Neighbours {
  readonly world: World;
  readonly client: TransportServices;
  readonly server: TransportServices;
  readonly clientHost: SimulatedHost;
  readonly serverHost: SimulatedHost;
}

export interface NeighboursOptions {
  readonly seed?: number;
  readonly link?: LinkOptions;
  readonly policy?: SystemPolicy;
  readonly roots?: readonly Uint8Array[];
  /** The client's. */
  readonly stacks?: SystemInit["stacks"];
  readonly clientAddresses?: readonly string[];
  readonly serverAddresses?: readonly string[];
}

export const clientAddress = "192.0.2.1";
export const serverAddress = "192.0.2.2";
export const serverAddress6 = "2001:db8::2";

export function neighbours({
  seed = 1,
  link = { delayMs: 20 },
  policy,
  roots,
  stacks = protocolStacks,
  clientAddresses = [clientAddress, "2001:db8::1"],
  serverAddresses = [serverAddress, serverAddress6],
}: NeighboursOptions = {}): Neighbours {
  const world = simulate({ seed, crypto: provider });
  const clientHost = world.host("client", { addresses: clientAddresses, ...(roots !== undefined && { roots }) });
  const serverHost = world.host("server", { addresses: serverAddresses });
  world.link(clientHost, serverHost, link);
  world.name("server.test", { addresses: serverAddresses });
  return {
    world,
    clientHost,
    serverHost,
    client: new TransportServices({ host: clientHost, stacks, ...(policy !== undefined && { policy }) }),
    server: new TransportServices({ host: serverHost, stacks: protocolStacks }),
  };
}

/** All leaves of a candidate tree that were tried, by rank. */
export function leaves(tree: CandidateNode): readonly CandidateNode[] {
  const all = (node: CandidateNode): CandidateNode[] => [
    ...(node.rank === undefined ? [] : [node]),
    ...node.children.flatMap(all),
  ];
  return all(tree).sort((a, b) => a.rank! - b.rank!);
}

/** Every node of a tree by its name. */
export function nodeNamed(tree: CandidateNode, name: string): CandidateNode | undefined {
  if (tree.name === name) return tree;
  for (const child of tree.children) {
    const found = nodeNamed(child, name);
    if (found !== undefined) return found;
  }
  return undefined;
}
