import { equal, toHex } from "../../../bytes/index.js";
import { type Host, requireInterface, Secret, type SocketAddress } from "../../../contract/index.js";
import {
  bind as bindDtlsSrtp,
  type DtlsSrtpSession,
  fingerprintOf,
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
import { type Probe, type ProtocolProbes, see } from "../../probe.js";

/** SRTP's own interfaces, shown beside the table: keyed by import, and by a DTLS handshake. */
export function srtpProbes(host: Host): ProtocolProbes {
  const on =
    (proof: (host: Host, signal: AbortSignal) => Promise<string>): Probe =>
    ({ signal }) =>
      proof(host, signal);
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

async function algorithms(host: Host, signal: AbortSignal): Promise<string> {
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
  return `three profiles offered: a server that has ${settled.join(", and one that has ")} got it and its tags; one with another got no session`;
}

async function importedKeys(host: Host, signal: AbortSignal): Promise<string> {
  const line = formatSdes({
    tag: 1,
    profile: "AES_256_CM_HMAC_SHA1_80",
    keys: [newKey(host, "AES_256_CM_HMAC_SHA1_80")],
  });
  const { profile: name, key } = optionsOf(parseSdes(line));
  using pair = await importedPair(host, name, key);
  await crosses(pair.near, pair.atFar, rtp(1), signal);
  using other = await importedPair(host, name, key, newKey(host, name));
  other.near.send(rtp(1));
  await until(() => other.far.receiveDrops["bad-tag"] === 1, signal);
  see(other.atFar.length === 0, "nothing under another key is delivered");
  return `a key of ${key.key.size} bytes and a salt of ${key.salt.length} from an a=crypto line opened a packet; under another key it was dropped`;
}

async function keyUpdate(host: Host, signal: AbortSignal): Promise<string> {
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
  return `packets crossed under MKI ${toHex(first.mki!)}, then under ${toHex(second.mki!)}, which the first key does not open`;
}

async function keyExpiration(host: Host, signal: AbortSignal): Promise<string> {
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
  return `a key for ${lifetime} packets: its end was told after ${toldAfter}, ${lifetime} came, and 5 more were not sent`;
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
  const ports = await Promise.all([freePort(host), freePort(host)]);
  const atFar: Uint8Array[] = [];
  const wire: number[] = [];
  const network = observed(host, wire);
  const far = await bindDtlsSrtp(
    host,
    "server",
    { local: ports[1], remote: ports[0] },
    { profiles: server, fingerprints: [prints[0]!], dtls: { identity: identities[1]! } },
    { datagrams: (bytes) => void atFar.push(bytes.slice()), closed: () => undefined },
    { network },
  );
  const near = await bindDtlsSrtp(
    host,
    "client",
    { local: ports[0], remote: ports[1] },
    { profiles: client, fingerprints: [prints[1]!], dtls: { identity: identities[0]! } },
    { datagrams: () => undefined, closed: () => undefined },
  );
  return { near, far, atFar, wire, [Symbol.dispose]: () => [near, far].forEach((each) => void each.abort()) };
}

/** The host's network, with the sizes of what comes noted. */
function observed({ network }: Host, wire: number[]): Host["network"] {
  return {
    ...network,
    name: network.name,
    resolve: network.resolve.bind(network),
    connectStream: network.connectStream.bind(network),
    listenStreams: network.listenStreams.bind(network),
    interfaces: network.interfaces.bind(network),
    bindDatagrams: (local, sink, options) =>
      network.bindDatagrams(
        local,
        {
          datagrams: (bytes, from, segmentSize, ecn) => {
            const step = segmentSize > 0 ? segmentSize : bytes.length;
            for (let at = 0; at < bytes.length; at += step) wire.push(Math.min(step, bytes.length - at));
            sink.datagrams(bytes, from, segmentSize, ecn);
          },
          writable: () => sink.writable?.(),
          softError: (failure) => sink.softError?.(failure),
          closed: (failure) => sink.closed(failure),
        },
        options,
      ),
  };
}

/** An address whose port is free now. */
async function freePort(host: Host): Promise<SocketAddress> {
  const port = await host.network.bindDatagrams(loopback(), { datagrams: () => undefined, closed: () => undefined });
  const { local } = port;
  port.close();
  return local;
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
