import { equal, toHex } from "../../../bytes/index.js";
import { type DatagramSink, type Host, requireInterface, Secret, type SocketAddress } from "../../../contract/index.js";
import {
  bind as bindDtlsSrtp,
  type DtlsSrtpLayered,
  type DtlsSrtpSession,
  exportedSize,
  exporterLabel,
  fingerprintOf,
  over,
  sessionIdentity,
} from "../../../protocols/dtls-srtp/index.js";
import {
  bind,
  formatSdes,
  type MasterKey,
  optionsOf,
  parseSdes,
  profile,
  profiles,
  type SrtpProfileName,
  type SrtpSession,
} from "../../../protocols/srtp/index.js";
import { evidence, type Probe, type ProtocolProbes, see } from "../../probe.js";
import { type Authority, newAuthority } from "../../stage/authority.js";
import { name } from "../../stage/handshake.js";
import { findOpenssl, type Openssl } from "../../stage/openssl.js";
import { findSenders, type Sender } from "./strangers.js";

/** What SRTP's probes play on. */
export interface Stage {
  readonly host: Host;
  /** OpenSSL, which negotiates profiles and keys by DTLS, if there is one in PATH. */
  readonly openssl: Openssl | undefined;
  readonly authority: Authority;
  /** Who else sends media under a given key. */
  readonly senders: readonly Sender[];
}

/** The stage of a real run, with whoever else is there. */
export async function openStage(host: Host): Promise<Stage> {
  const authority = newAuthority(host);
  const [openssl, senders] = await Promise.all([findOpenssl(authority), findSenders()]);
  return { host, authority, openssl, senders };
}

/** SRTP's own interfaces, shown beside the table: keyed by import, and by a DTLS handshake. */
export function srtpProbes(stage: Stage): ProtocolProbes {
  const { host } = stage;
  const on =
    (proof: (stage: Stage, signal: AbortSignal) => Promise<string>): Probe =>
    ({ signal }) =>
      proof(stage, signal);
  return {
    profile,
    cells: { ALG: on(algorithms), PSKI: on(importedKeys), KU: on(keyUpdate), KE: on(keyExpiration) },
    async ask(cell) {
      using pair = await importedPair(host, "AEAD_AES_128_GCM");
      see(pair.near.protocol === "SRTP", "a session");
      return requireInterface(profile, cell);
    },
    shows: [
      {
        title: "Sealport ↔ Sealport, by DTLS",
        async run({ signal }) {
          const started = performance.now();
          using pair = await negotiatedPair(host, ["AEAD_AES_128_GCM"], ["AEAD_AES_128_GCM"]);
          await Promise.all([pair.near.confirmed, pair.far.confirmed]);
          let bytes = 0;
          for (let i = 0; i < 20; i++) bytes += await crosses(pair.near, pair.atFar, rtp(i), signal);
          const { outcome } = pair.near.dtls;
          return {
            version: "SRTP",
            keyExchange: outcome!.group ?? "",
            cipher: pair.near.profile!,
            roundTrips: outcome!.roundTrips,
            bytes,
            authenticated: `both by fingerprint, DTLS ${outcome!.version}`,
            ms: performance.now() - started,
          };
        },
      },
    ],
  };
}

async function algorithms(stage: Stage, signal: AbortSignal): Promise<string> {
  const { host } = stage;
  const offered: readonly SrtpProfileName[] = ["AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM", "AEAD_AES_256_GCM"];
  const settled: string[] = [];
  for (const wanted of [offered[2]!, offered[0]!]) {
    using pair = await negotiatedPair(host, offered, [wanted]);
    await Promise.all([pair.near.confirmed, pair.far.confirmed]);
    see(pair.near.profile === wanted && pair.far.profile === wanted, `${wanted} on both sides`);
    const [before] = [pair.wire.length];
    await crosses(pair.near, pair.atFar, rtp(1), signal);
    const sealed = pair.wire.slice(before).find((size) => size === rtp(1).length + profiles[wanted].rtpTagSize);
    see(sealed !== undefined, `a packet that is longer by ${wanted}'s tag`);
    settled.push(wanted);
  }
  using pair = await negotiatedPair(host, ["AEAD_AES_256_GCM"], ["AEAD_AES_128_GCM"]);
  const refused = await pair.near.confirmed.then(
    () => false,
    () => true,
  );
  see(refused, "an offer with nothing in common is refused");
  return evidence(
    `three profiles offered: a server that has ${settled.join(", and one that has ")} got it and its tags; one with another got no session`,
    stage.openssl && (await withOpenssl(stage, stage.openssl, offered, signal)),
  );
}

/** OpenSSL has no SRTP itself: it settles the profile, and exports the keys. */
async function withOpenssl(
  { host, authority }: Stage,
  openssl: Openssl,
  offered: readonly SrtpProfileName[],
  signal: AbortSignal,
): Promise<string> {
  const wanted = "AEAD_AES_128_GCM";
  const size = exportedSize(wanted);
  const exports = ["-keymatexport", exporterLabel, "-keymatexportlen", `${size}`];
  const args = ["-dtls1_2", "-use_srtp", "SRTP_AEAD_AES_128_GCM", "-Verify", "1", ...exports];
  await using peer = await openssl.serve([name], args, signal);
  const {
    certificates: [certificate],
  } = await authority.identity(name);
  const ours = await bindDtlsSrtp(
    host,
    "client",
    { local: loopback(), remote: loopback(peer.port) },
    {
      profiles: offered,
      fingerprints: [fingerprintOf(host.crypto, certificate!)],
      dtls: { identity: sessionIdentity(host.crypto, host.entropy, host.now()) },
    },
    { datagrams: () => undefined, closed: () => undefined },
  );
  try {
    await ours.confirmed;
    see(ours.profile === wanted, `${wanted}, which alone OpenSSL allows`);
    const [, hex] = await peer.program.says(new RegExp(`Keying material: ([0-9A-F]{${2 * size}})`));
    see(hex!.toLowerCase() === toHex(ours.dtls.exportKey(exporterLabel, size)), "OpenSSL's keys");
  } finally {
    ours.abort();
  }
  return `${openssl.name} with ${wanted} alone got it, and has the same keys`;
}

async function importedKeys({ host, senders }: Stage, signal: AbortSignal): Promise<string> {
  const line = formatSdes({
    tag: 1,
    profile: "AES_256_CM_HMAC_SHA1_80",
    keys: [newKey(host, "AES_256_CM_HMAC_SHA1_80")],
  });
  const { profile: suite, key } = optionsOf(parseSdes(line));
  using pair = await importedPair(host, suite, key);
  await crosses(pair.near, pair.atFar, rtp(1), signal);
  using other = await importedPair(host, suite, key, newKey(host, suite));
  other.near.send(rtp(1));
  await until(() => other.far.receiveDrops["bad-tag"] === 1, signal);
  see(other.atFar.length === 0, "nothing under another key is delivered");
  const others: string[] = [];
  for (const sender of senders) {
    // The same key if the stranger has the profile, else one for the profile that everybody has.
    const theirs = sender.has(suite) ? suite : "AES_CM_128_HMAC_SHA1_80";
    others.push(await opensMedia(host, sender, theirs, theirs === suite ? key : newKey(host, theirs), signal));
  }
  return evidence(
    `a key of ${key.key.size} bytes and a salt of ${key.salt.length} from an a=crypto line opened a packet; under another key it was dropped`,
    others.length > 0 ? others.join("; ") : undefined,
  );
}

/** A stranger's media are opened with the key that it was given, every packet from the first on. */
async function opensMedia(
  host: Host,
  sender: Sender,
  profile: SrtpProfileName,
  key: MasterKey,
  signal: AbortSignal,
): Promise<string> {
  const enough = 10;
  let heard = 0;
  const ours = await bind(
    host,
    { local: loopback() },
    { profile, sendKey: newKey(host, profile), receiveKey: key },
    { datagrams: (bytes) => void (heard += (bytes[1]! & 0x7f) === 0 ? 1 : 0), closed: () => undefined },
  );
  try {
    await using program = sender.play(profile, key, ours.local.port, signal);
    await until(() => heard >= enough || program.isOver, signal);
    see(heard >= enough, `${sender.name}'s tone${program.isOver ? `, for it said ${program.said.slice(-200)}` : ""}`);
    see(ours.receiveDrops["bad-tag"] === 0, "that every packet of it is authentic");
  } finally {
    ours.close();
  }
  return `${sender.name}'s tone under ${profile} was opened`;
}

async function keyUpdate({ host }: Stage, signal: AbortSignal): Promise<string> {
  const name = "AEAD_AES_128_GCM";
  const [first, second] = [newKey(host, name, 1), newKey(host, name, 2)];
  using pair = await importedPair(host, name, first);
  await crosses(pair.near, pair.atFar, rtp(1), signal);
  pair.far.rekey({ receive: second });
  pair.near.rekey({ send: second });
  await crosses(pair.near, pair.atFar, rtp(2), signal);
  // Who knows the first key alone opens nothing more.
  using old = await importedPair(host, name, second, first);
  old.near.send(rtp(3));
  await until(() => old.far.receiveDrops["unknown-key"] === 1, signal);
  return evidence(
    `packets crossed under MKI ${toHex(first.mki!)}, then under ${toHex(second.mki!)}, which the first key does not open`,
  );
}

async function keyExpiration({ host }: Stage, signal: AbortSignal): Promise<string> {
  const name = "AEAD_AES_128_GCM";
  const lifetime = 100;
  using pair = await importedPair(host, name, { ...newKey(host, name), lifetime });
  let toldAfter = 0;
  let sent = 0;
  using _ = pair.near.onKeyExpiring(() => {
    toldAfter = sent;
  });
  for (; sent < lifetime + 5; ) {
    sent++;
    pair.near.send(rtp(sent));
  }
  await until(() => pair.atFar.length === lifetime, signal);
  see(toldAfter > 0 && toldAfter < lifetime, "the end is told before it comes");
  see(pair.near.sendDrops["expired-keys"] === 5, "nothing is protected beyond it");
  return evidence(
    `a key for ${lifetime} packets: its end was told after ${toldAfter}, ${lifetime} came, and 5 more were not sent`,
  );
}

/** An RTP packet with a little payload. */
function rtp(sequence: number): Uint8Array {
  const packet = Uint8Array.from({ length: 172 }, (_, i) => i * 7 + sequence);
  packet.set([0x80, 96, sequence >>> 8, sequence, 0, 0, 0, sequence, 0x5e, 0xa1, 0x90, 0x27]);
  return packet;
}

const newKey = (host: Host, name: SrtpProfileName, mki?: number): MasterKey => ({
  key: new Secret(host.entropy.fill(new Uint8Array(profiles[name].keySize))),
  salt: host.entropy.fill(new Uint8Array(profiles[name].saltSize)),
  ...(mki !== undefined && { mki: Uint8Array.of(mki) }),
});

/** Two ends on the loopback; what came to the far one. */
interface Pair<Session> extends Disposable {
  readonly near: Session;
  readonly far: Session;
  readonly atFar: Uint8Array[];
  /** Sizes of the datagrams that came to the far end, as they were on the wire. */
  readonly wire: number[];
}

const loopback = (port = 0): SocketAddress => ({ address: "127.0.0.1", port });

async function importedPair(
  host: Host,
  name: SrtpProfileName,
  sendKey = newKey(host, name),
  receiveKey = sendKey,
): Promise<Pair<SrtpSession>> {
  const atFar: Uint8Array[] = [];
  const back = { ...newKey(host, name), ...(sendKey.mki && { mki: sendKey.mki }) };
  const far = await bind(
    host,
    { local: loopback() },
    { profile: name, sendKey: back, receiveKey },
    {
      datagrams: (bytes) => void atFar.push(bytes.slice()),
      closed: () => undefined,
    },
  );
  const near = await bind(
    host,
    { local: loopback(), remote: far.local },
    { profile: name, sendKey, receiveKey: back },
    {
      datagrams: () => undefined,
      closed: () => undefined,
    },
  );
  return { near, far, atFar, wire: [], [Symbol.dispose]: () => [near, far].forEach((each) => void each.close()) };
}

/** A client and a server who know each other's fingerprints. */
async function negotiatedPair(
  host: Host,
  client: readonly SrtpProfileName[],
  server: readonly SrtpProfileName[],
): Promise<Pair<DtlsSrtpSession>> {
  const identities = [0, 1].map(() => sessionIdentity(host.crypto, host.entropy, host.now()));
  const prints = identities.map(({ certificates: [first] }) => fingerprintOf(host.crypto, first!));
  const atFar: Uint8Array[] = [];
  const wire: number[] = [];
  const [atNear, atTheFar] = [await heldPort(host), await heldPort(host, wire)];
  const far = over(
    host,
    "server",
    { profiles: server, fingerprints: [prints[0]!], dtls: { identity: identities[1]! } },
    atNear.port.local,
    { datagrams: (bytes) => void atFar.push(bytes.slice()), closed: () => undefined },
  );
  const near = over(
    host,
    "client",
    { profiles: client, fingerprints: [prints[1]!], dtls: { identity: identities[0]! } },
    atTheFar.port.local,
    { datagrams: () => undefined, closed: () => undefined },
  );
  atTheFar.give(far);
  atNear.give(near);
  return {
    near: near.session,
    far: far.session,
    atFar,
    wire,
    [Symbol.dispose]: () => [near, far].forEach(({ session }) => void session.abort()),
  };
}

/** A port that is bound before its session is, since each side must know the other's address to begin. */
async function heldPort(host: Host, wire?: number[]) {
  let lower: DatagramSink | undefined;
  const port = await host.network.bindDatagrams(loopback(), {
    datagrams: (bytes, from, segmentSize, ecn) => {
      const step = segmentSize > 0 ? segmentSize : bytes.length;
      for (let at = 0; at < bytes.length; at += step) wire?.push(Math.min(step, bytes.length - at));
      lower?.datagrams(bytes, from, segmentSize, ecn);
    },
    writable: () => lower?.writable?.(),
    softError: (failure) => lower?.softError?.(failure),
    closed: (failure) => lower?.closed(failure),
  });
  return {
    port,
    give(layered: DtlsSrtpLayered): void {
      lower = layered.lower;
      layered.attach(port);
    },
  };
}

async function crosses(
  from: SrtpSession | DtlsSrtpSession,
  at: Uint8Array[],
  packet: Uint8Array,
  signal: AbortSignal,
): Promise<number> {
  from.send(packet);
  await until(() => at.some((each) => equal(each, packet)), signal);
  return packet.length;
}

async function until(isSo: () => boolean, signal: AbortSignal): Promise<void> {
  while (!isSo()) {
    signal.throwIfAborted();
    await new Promise((later) => setTimeout(later, 2));
  }
}
