import { equal, formatAddress, type Prefix, utf8 } from "../../bytes/index.js";
import type { PeerIdentity } from "../../contract/index.js";
import type { DataCipher } from "./data/ciphers.js";
import type { Admission, Guest } from "./guest.js";
import { Proto } from "./key-exchange.js";

/** What a server tells every client alike. */
export interface Pushed {
  /** Ours inside, by family. */
  readonly addresses: readonly Prefix[];
  readonly pingMs: number;
  readonly pingRestartMs: number;
  readonly mtu: number;
}

/** What follows for a client's session from what it can (wire document §6.7). */
export interface Abilities {
  readonly dataV2: boolean;
  readonly tlsExport: boolean;
  readonly dynamicTlsCrypt: boolean;
  readonly controlExit: boolean;
}

export function abilitiesOf(guest: Guest): Abilities {
  const tlsExport = guest.can(Proto.tlsExport);
  const controlExit = guest.can(Proto.controlExit);
  // Clients before cc-exit cannot be told of it.
  const dynamicTlsCrypt = tlsExport && controlExit && guest.can(Proto.dynamicTlsCrypt);
  return { dataV2: guest.can(Proto.dataV2), tlsExport, dynamicTlsCrypt, controlExit };
}

/** The first of ours that the client has; old ones say only that they can negotiate. */
export function commonCipher(ours: readonly DataCipher[], { peerInfo }: Guest): DataCipher | undefined {
  const told = peerInfo.get("IV_CIPHERS")?.split(":");
  const theirs = told ?? (peerInfo.get("IV_NCP") === "2" ? ["AES-256-GCM", "AES-128-GCM"] : []);
  return ours.find(({ name }) => theirs.some((each) => each.toUpperCase() === name));
}

/** The options of a client's PUSH_REPLY. */
export function optionsFor(guest: Guest, admission: Admission, cipher: DataCipher, pushed: Pushed): readonly string[] {
  const { dataV2, tlsExport, dynamicTlsCrypt, controlExit } = abilitiesOf(guest);
  const flags = ["cc-exit", ...(tlsExport ? ["tls-ekm"] : []), ...(dynamicTlsCrypt ? ["dyn-tls-crypt"] : [])];
  return [
    ...insideOf(admission, pushed.addresses),
    `ping ${Math.ceil(pushed.pingMs / 1_000)}`,
    `ping-restart ${Math.ceil(pushed.pingRestartMs / 1_000)}`,
    ...(admission.push ?? []),
    ...(dataV2 ? [`peer-id ${guest.peerId}`] : []),
    `cipher ${cipher.name}`,
    // Clients before cc-exit know the exporter by another name.
    ...(controlExit ? [`protocol-flags ${flags.join(" ")}`] : tlsExport ? ["key-derivation tls-ekm"] : []),
    ...(guest.peerInfo.has("IV_MTU") ? [`tun-mtu ${pushed.mtu}`] : []),
  ];
}

function insideOf({ addresses }: Admission, ours: readonly Prefix[]): readonly string[] {
  const own = (family: 4 | 16) => ours.find(({ address }) => address.length === family);
  return addresses.flatMap(({ address, length }) => {
    const text = formatAddress(address);
    const gateway = own(address.length === 4 ? 4 : 16);
    if (address.length === 4) {
      const via = gateway === undefined ? [] : [`route-gateway ${formatAddress(gateway.address)}`];
      return [...via, "topology subnet", `ifconfig ${text} ${maskOf(length)}`];
    }
    return [`ifconfig-ipv6 ${text}/${length} ${gateway === undefined ? text : formatAddress(gateway.address)}`];
  });
}

/** A netmask of so many bits, as text. */
const maskOf = (length: number): string =>
  formatAddress(Uint8Array.from({ length: 4 }, (_, i) => (0xff00 >> Math.min(8, Math.max(0, length - 8 * i))) & 0xff));

/** Who a client says that it is, as its key exchange and its certificate tell. */
export interface Claim {
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly peer: PeerIdentity | undefined;
}

/** Who renews keys must be who made the session. */
export function isSame(guest: Guest, { user, password, peer }: Claim): boolean {
  const samePassword =
    password === undefined ? guest.password === undefined : (guest.password?.equals(utf8(password)) ?? false);
  return guest.user === user && samePassword && hasSameKey(guest.peer, peer);
}

/** Are both the same key, or both none? */
export const hasSameKey = (before: PeerIdentity | undefined, after: PeerIdentity | undefined): boolean =>
  before?.kind === "certificate" && after?.kind === "certificate"
    ? equal(before.publicKey.spki, after.publicKey.spki)
    : before === after;

export function isAdmission(answer: unknown): answer is Admission {
  return typeof answer === "object" && answer !== null && "addresses" in answer && Array.isArray(answer.addresses);
}
