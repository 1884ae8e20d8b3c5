import { concat, parseAddress, Writer } from "../../../bytes/index.js";
import type { CryptoProvider, Secret, SocketAddress } from "../../../contract/index.js";
import { type GroupRow, groupOf } from "../algorithms.js";
import type { IkeConnection } from "../interfaces.js";
import { nonceSize } from "../limits.js";
import { signatureHashes } from "../signatures.js";
import type { Station } from "../station.js";
import { notified, notify } from "../wire/find.js";
import { Notify, Transform } from "../wire/numbers.js";
import type { Payload, PayloadOf } from "../wire/payloads.js";
import type { IkeSa } from "./ike-sa.js";
import type { Path } from "./request.js";

export const newNonce = ({ entropy }: Station): Uint8Array => entropy.fill(new Uint8Array(nonceSize));

// ------------------------------------------------------------------------------------------------------------ key exchange

/** Our half of a key exchange that we began. */
export interface Half {
  readonly group: GroupRow;
  readonly privateKey: Secret;
  readonly payload: PayloadOf<"KE">;
}

/** NIST points stand on the wire without the 4 in front of them (RFC 5903 §7). */
const onWire = ({ share }: GroupRow, bytes: Uint8Array): Uint8Array => (share === "point" ? bytes.subarray(1) : bytes);
const fromWire = ({ share }: GroupRow, bytes: Uint8Array): Uint8Array =>
  share === "point" ? concat(Uint8Array.of(4), bytes) : bytes;

export function beginExchange({ crypto, entropy }: Station, id: number): Half {
  const group = groupOf(id)!;
  const { share, privateKey } = crypto.agreement(group.agreement).initiate(entropy);
  return { group, privateKey, payload: { kind: "KE", group: id, share: onWire(group, share) } };
}

/** Undefined for a share that is none. */
export function concludeExchange(crypto: CryptoProvider, half: Half, theirs: PayloadOf<"KE">): Secret | undefined {
  if (theirs.group !== half.group.id) return undefined;
  const secret = crypto.agreement(half.group.agreement).conclude(half.privateKey, fromWire(half.group, theirs.share));
  half.privateKey.wipe();
  return secret;
}

export function answerExchange(
  { crypto, entropy }: Station,
  theirs: PayloadOf<"KE">,
): { readonly secret: Secret; readonly payload: PayloadOf<"KE"> } | undefined {
  const group = groupOf(theirs.group)!;
  const answer = crypto.agreement(group.agreement).respond(fromWire(group, theirs.share), entropy);
  return (
    answer && { secret: answer.secret, payload: { kind: "KE", group: group.id, share: onWire(group, answer.share) } }
  );
}

/** The group that an INVALID_KE_PAYLOAD wants instead. */
export function wantedGroup(payloads: readonly Payload[]): number | undefined {
  const data = notified(payloads, Notify.INVALID_KE_PAYLOAD)?.data;
  return data?.length === 2 ? (data[0]! << 8) | data[1]! : undefined;
}

export const invalidGroup = (group: number): PayloadOf<"N"> =>
  notify(Notify.INVALID_KE_PAYLOAD, { data: Uint8Array.of(group >> 8, group & 0xff) });

// ----------------------------------------------------------------------------------------------------------- NAT detection

/** SHA-1 of SPIs, address and port (RFC 7296 §2.23). */
export function natHash(
  crypto: CryptoProvider,
  spiI: Uint8Array,
  spiR: Uint8Array,
  { address, port }: SocketAddress,
): Uint8Array {
  const to = new Writer();
  to.put(spiI)
    .put(spiR)
    .put(parseAddress(address) ?? new Uint8Array(4))
    .u16(port);
  return crypto.hash("SHA-1").digest(to.view());
}

/** Notifications of where we believe to be and where the peer is; with `always`, nobody is where we say that we are. */
export function natDetection(sa: IkeSa, spiResponder: Uint8Array): readonly Payload[] {
  const { crypto, entropy } = sa.station;
  const { local, remote } = sa.path;
  const isHonest = sa.connection?.encapsulation === "when-nat" && local !== undefined;
  const hash = (at: SocketAddress) => natHash(crypto, sa.spiInitiator, spiResponder, at);
  const source = isHonest ? hash(local) : entropy.fill(new Uint8Array(20));
  return [
    notify(Notify.NAT_DETECTION_SOURCE_IP, { data: source }),
    notify(Notify.NAT_DETECTION_DESTINATION_IP, { data: hash(remote) }),
  ];
}

/** Looks at the peer's notifications: is one of us not where it believes to be? Without any, there is no NAT traversal. */
export function detectNat(sa: IkeSa, payloads: readonly Payload[], path: Path, spiResponder: Uint8Array): boolean {
  const { crypto } = sa.station;
  const sources = payloads.filter(
    (p): p is PayloadOf<"N"> => p.kind === "N" && p.type === Notify.NAT_DETECTION_SOURCE_IP,
  );
  const destination = notified(payloads, Notify.NAT_DETECTION_DESTINATION_IP)?.data;
  if (sources.length === 0 || destination === undefined) return false;
  const is = (data: Uint8Array | undefined, at: SocketAddress): boolean => {
    const wanted = natHash(crypto, sa.spiInitiator, spiResponder, at);
    return data?.length === wanted.length && wanted.every((byte, i) => byte === data[i]);
  };
  sa.nat.remote = !sources.some(({ data }) => is(data, path.remote));
  sa.nat.local = path.local === undefined || !is(destination, path.local);
  return true;
}

// ----------------------------------------------------------------------------------------------------------- announcements

/** What we say in IKE_SA_INIT that we can do. */
export function announcements(connections: readonly IkeConnection[]): readonly Payload[] {
  const some = (wanted: (each: IkeConnection) => boolean | undefined): boolean => connections.some(wanted);
  return [
    ...(some(({ fragmentation = true }) => fragmentation) ? [notify(Notify.IKEV2_FRAGMENTATION_SUPPORTED)] : []),
    notify(Notify.SIGNATURE_HASH_ALGORITHMS, { data: signatureHashes }),
    ...(some(({ ppk }) => ppk !== undefined) ? [notify(Notify.USE_PPK)] : []),
    ...(some(({ proposals = [] }) => proposals.some((offer) => offer.some(({ type }) => type >= Transform.ADDKE1)))
      ? [notify(Notify.INTERMEDIATE_EXCHANGE_SUPPORTED)]
      : []),
  ];
}
