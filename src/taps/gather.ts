import { addressFamily } from "../bytes/index.js";
import type { Network, NetworkInterface } from "../contract/index.js";
import type { CandidateNode, CandidateVerdict } from "./candidates.js";
import { endpointText, type LocalEndpoint, type RemoteEndpoint } from "./endpoint.js";
import { misuse } from "./failure.js";
import type { Preference } from "./properties.js";
import { exclusion, score, type Wishes } from "./ranking.js";
import { protocolOf } from "./security.js";
import type { ProtocolStack } from "./stacks/stack.js";

/** A node that is still being written. */
export class TreeNode implements CandidateNode {
  readonly kind: CandidateNode["kind"];
  readonly name: string;
  readonly children: TreeNode[] = [];
  rank?: number;
  verdict: CandidateVerdict;

  constructor(kind: CandidateNode["kind"], name: string, verdict: CandidateVerdict = { state: "eligible" }) {
    this.kind = kind;
    this.name = name;
    this.verdict = verdict;
  }

  /** Adds a child that may not be used, and says why. */
  exclude(kind: CandidateNode["kind"], name: string, why: string): void {
    this.children.push(new TreeNode(kind, name, { state: "excluded", why }));
  }
}

/** A way out of this host: an interface, or whatever the network chooses. */
export interface Path {
  readonly name: string;
  readonly interface?: string;
  /** Where it leads, if that is not the system's own network: into a tunnel. */
  readonly network?: Network;
  /** Addresses to send from, by family, best first; absent lets the network choose. */
  readonly from?: { readonly 4?: string; readonly 6?: string };
  readonly localPort?: number;
}

/** A path with a stack on it: the inner nodes of the tree, best first. Its leaves come from the endpoints. */
export interface Branch {
  readonly path: Path;
  readonly stack: ProtocolStack;
  readonly node: TreeNode;
  /** Changes while the race runs, by AddRemote and RemoveRemote. */
  readonly remotes: RemoteEndpoint[];
}

export interface GatherRequest extends Wishes {
  readonly network: Network;
  /** Further networks: the insides of tunnels. */
  readonly tunnels: readonly Network[];
  readonly stacks: readonly ProtocolStack[];
  readonly locals: readonly LocalEndpoint[];
  readonly remotes: readonly RemoteEndpoint[];
}

/** The tree without its leaves (RFC 9623 §4.1): paths before stacks; each level sorted, each exclusion with its reason. */
export function gather(request: GatherRequest): { readonly root: TreeNode; readonly branches: readonly Branch[] } {
  const root = new TreeNode("root", request.remotes.map(endpointText).join(", ") || "any");
  const branches: Branch[] = [];
  const stacks = sortedStacks(request);
  for (const path of gatherPaths(request, root)) {
    const node = new TreeNode("path", path.name);
    root.children.push(node);
    for (const stack of stacks) {
      const why = exclusion(stack, request) ?? stack.unfitNetwork?.(path.network ?? request.network);
      if (why !== undefined) {
        node.exclude("stack", stack.name, why);
        continue;
      }
      const remotes = [...servingOf(request.remotes, stack)];
      if (remotes.length === 0 && !(request.remotes.length === 0 && servesLocally(request.locals, stack))) {
        node.exclude("stack", stack.name, "no endpoint is for this protocol");
        continue;
      }
      const branch = { path, stack, node: new TreeNode("stack", stack.name), remotes };
      node.children.push(branch.node);
      branches.push(branch);
    }
  }
  return { root, branches };
}

/** RFC 9622 §6.1.3: endpoints for a stack's protocol are an alternative definition, and displace those for any. */
export function servingOf(remotes: readonly RemoteEndpoint[], stack: ProtocolStack): readonly RemoteEndpoint[] {
  const serving = remotes.filter((remote) => serves(remote, stack));
  const own = serving.filter(({ protocol }) => protocol !== undefined);
  return own.length > 0 ? own : serving;
}

/** Of who only listens: is one of its endpoints for the stack? */
const servesLocally = (locals: readonly LocalEndpoint[], stack: ProtocolStack): boolean =>
  locals.length === 0 ? stack.only === undefined : locals.some((local) => serves(local, stack));

/** An endpoint for a protocol serves its stacks alone. */
export function serves({ protocol: named }: { readonly protocol?: string }, stack: ProtocolStack): boolean {
  if (named === undefined) return stack.only === undefined;
  const wanted = named.toLowerCase();
  if (stack.only !== undefined) return stack.only.toLowerCase() === wanted;
  return stack.protocols.some((protocol) => protocol.toLowerCase() === wanted);
}

/** The table's own order settles what preferences leave open, so that the choice is the same every time. */
function sortedStacks(request: GatherRequest): readonly ProtocolStack[] {
  const ranked = request.stacks.map((stack, at) => ({ stack, at, score: score(stack, request) }));
  return ranked
    .sort(
      (a, b) =>
        // Resolution of RFC 9622's silence: a stack that is Ready without a packet must not outrun a handshake.
        Number(a.stack.connectedness === "connectionless") - Number(b.stack.connectedness === "connectionless") ||
        securityOrder(a.stack, request) - securityOrder(b.stack, request) ||
        b.score - a.score ||
        a.at - b.at,
    )
    .map(({ stack }) => stack);
}

/** Security first, in the order in which the protocols were named, equivalents alike; cleartext last. */
function securityOrder({ security }: ProtocolStack, { allowed, policy, ...request }: GatherRequest): number {
  if (security === undefined) return allowed.length + 1;
  const at = allowed.findIndex((each) => policy.equivalent(request.security, protocolOf(each).name, security));
  return at < 0 ? allowed.length : at;
}

/** Paths in order of preference; excluded interfaces are written into the tree. */
function gatherPaths(
  { network, tunnels, locals, values, policy, properties }: GatherRequest,
  root: TreeNode,
): readonly Path[] {
  rejectUnknowable(values.pvd);
  const wanted = values.interface;
  const system = policy.system.interface ?? {};
  const temporary = values.useTemporaryLocalAddress;
  const fixed = locals.filter((local) => local.address !== undefined || local.interface !== undefined);
  for (const local of fixed) {
    const own = local.interface === undefined ? undefined : interfaceOf([network, ...tunnels], local.interface);
    if (preferenceFor(wanted, own?.interface) === "prohibit") {
      throw misuse(
        `the local endpoint's interface ${local.interface} is prohibited`,
        "interface",
        "take one of the two back",
      );
    }
  }
  if (fixed.length > 0) return fixed.map((local) => pathOf([network, ...tunnels], local));
  const localPort = locals[0]?.port;
  const choosesAddress =
    properties.has("useTemporaryLocalAddress") && (temporary === "require" || temporary === "prohibit");
  if (Object.keys(wanted).length === 0 && Object.keys(system).length === 0 && !choosesAddress) {
    return [{ name: "any", ...(localPort !== undefined && { localPort }) }];
  }
  const required = Object.values(wanted).includes("require");
  const systemRequired = Object.values(system).includes("require");
  const paths: { readonly path: Path; readonly weight: number }[] = [];
  for (const { of, interface: each } of interfacesOf([network, ...tunnels])) {
    const mine = preferenceFor(wanted, each);
    const theirs = preferenceFor(system, each);
    const from = choosesAddress ? addressesOf(each, temporary) : addressesOf(each, "none");
    const why =
      mine === "prohibit"
        ? "the interface is prohibited"
        : theirs === "prohibit"
          ? "the interface is prohibited (system policy)"
          : required && mine !== "require"
            ? "another interface is required"
            : of !== network && weights[mine] <= 0 && weights[theirs] <= 0
              ? "a tunnel is a path only where it is asked for"
              : systemRequired && theirs !== "require"
                ? "another interface is required (system policy)"
                : from[4] === undefined && from[6] === undefined
                  ? choosesAddress
                    ? `no address satisfies useTemporaryLocalAddress ${temporary}`
                    : "the interface has no address"
                  : undefined;
    if (why !== undefined) {
      root.exclude("path", each.name, why);
      continue;
    }
    const inside = of === network ? {} : { network: of };
    const path = {
      name: each.name,
      interface: each.name,
      ...inside,
      from,
      ...(localPort !== undefined && { localPort }),
    };
    paths.push({ path, weight: weights[mine] * 10 + weights[theirs] });
  }
  return paths.sort((a, b) => b.weight - a.weight).map(({ path }) => path);
}

const weights: Readonly<Record<Preference, number>> = { require: 2, prefer: 1, none: 0, avoid: -1, prohibit: -2 };

/** By name first, then by type: `eth0` says more than `ethernet`. */
function preferenceFor(
  set: Readonly<Record<string, Preference>>,
  each: Pick<NetworkInterface, "name" | "type"> | undefined,
): Preference {
  if (each === undefined) return "none";
  return set[each.name] ?? set[each.type] ?? "none";
}

interface Attached {
  readonly of: Network;
  readonly interface: NetworkInterface;
}

function interfacesOf(networks: readonly Network[]): readonly Attached[] {
  return networks.flatMap((of) => of.interfaces().map((each) => ({ of, interface: each })));
}

function interfaceOf(networks: readonly Network[], name: string): Attached | undefined {
  return interfacesOf(networks).find((each) => each.interface.name === name);
}

function pathOf(networks: readonly Network[], local: LocalEndpoint): Path {
  const port = local.port === undefined ? {} : { localPort: local.port };
  const known = local.interface === undefined ? undefined : interfaceOf(networks, local.interface);
  const inside = known === undefined || known.of === networks[0] ? {} : { network: known.of };
  if (local.address !== undefined) {
    const from = addressFamily(local.address) === 4 ? { 4: local.address } : { 6: local.address };
    const name = endpointText(local);
    return { name, from, ...inside, ...port, ...(local.interface && { interface: local.interface }) };
  }
  const name = local.interface!;
  if (known === undefined) throw misuse(`there is no interface ${name}`, "WithInterface");
  return { name, interface: name, ...inside, from: addressesOf(known.interface, "none"), ...port };
}

function addressesOf(each: NetworkInterface, temporary: Preference): { readonly 4?: string; readonly 6?: string } {
  const usable = each.addresses.filter(({ address, temporary: isTemporary }) => {
    if (temporary === "require") return isTemporary && addressFamily(address) === 6; // RFC 9622 §6.2.13: excludes IPv4
    return temporary !== "prohibit" || !isTemporary;
  });
  const of = (family: 4 | 6) => {
    const mine = usable.filter(({ address }) => addressFamily(address) === family);
    // A link-local address reaches nobody beyond the link.
    return (mine.find(({ address }) => !address.startsWith("fe80:")) ?? mine[0])?.address;
  };
  const v4 = of(4);
  const v6 = of(6);
  return { ...(v4 !== undefined && { 4: v4 }), ...(v6 !== undefined && { 6: v6 }) };
}

/** No host tells of provisioning domains, so what must hold of them cannot. */
function rejectUnknowable(pvd: Readonly<Record<string, Preference>>): void {
  for (const [name, preference] of Object.entries(pvd)) {
    if (preference !== "require" && preference !== "prohibit") continue;
    throw misuse(`this host knows no provisioning domains, so ${name} cannot be ${preference}d`, "pvd");
  }
}
