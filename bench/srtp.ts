import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { type BenchRow, median, row } from "../src/cli/bench-row.js";
import { Secret } from "../src/contract/index.js";
import { chooseCrypto } from "../src/hosts/node/crypto.js";
import {
  profiles,
  type SrtpProfile,
  type SrtpProfileName,
  SrtpReceiver,
  SrtpSender,
} from "../src/protocols/srtp/index.js";
import { compiled } from "../test/interop/peers/c-peer.js";

const packetSize = 1_200;
const room = 1_300;
const packets = 2_000;
const turnMs = 1_500;
const rounds = 3;

const measured = [
  "AES_CM_128_HMAC_SHA1_80",
  "AES_CM_128_HMAC_SHA1_32",
  "AES_256_CM_HMAC_SHA1_80",
  "AEAD_AES_128_GCM",
  "AEAD_AES_256_GCM",
  "NULL_HMAC_SHA1_80",
] as const satisfies readonly SrtpProfileName[];

interface Rates {
  readonly protect: number;
  readonly unprotect: number;
}

/** SRTP packets of 1,200 bytes, protected and given back on one core, in turns with libsrtp and werift. */
export async function run(): Promise<readonly BenchRow[]> {
  const { provider } = chooseCrypto();
  const libsrtp = compiledOrNothing();
  const werift = weriftOrNothing();
  const rows: BenchRow[] = [];
  for (const profile of measured) {
    const all: { ours: Rates[]; libsrtp: Rates[]; werift: Rates[] } = { ours: [], libsrtp: [], werift: [] };
    const { id: number }: SrtpProfile = profiles[profile];
    for (let i = 0; i < rounds; i++) {
      all.ours.push(ours(profile));
      if (libsrtp !== undefined) {
        const said = execFileSync(libsrtp, ["bench", profile, String((2 * turnMs) / 1_000), String(packetSize)]);
        all.libsrtp.push(JSON.parse(String(said)) as Rates);
      }
      if (werift !== undefined && weriftHas(number)) all.werift.push(theirs(werift, number));
    }
    for (const verb of ["protect", "unprotect"] as const) {
      const middle = (rates: readonly Rates[]) => median(rates.map((each) => each[verb]));
      const what = `SRTP ${verb}, ${profile}, ${packetSize} bytes (${provider.name})`;
      for (const [name, rates] of [
        ["libsrtp 2 (C)", all.libsrtp],
        [`werift-rtp ${werift?.version ?? ""}`, all.werift],
      ] as const) {
        if (rates.length > 0) rows.push(row(what, "packets/s", middle(all.ours), middle(rates), name));
      }
    }
  }
  return rows;
}

/** Writes RTP headers into a store of packets, sequence numbers going on. */
function fill(store: Uint8Array, first: number): void {
  for (let i = 0; i < packets; i++) {
    const sequence = (first + i) & 0xffff;
    store.set([0x80, 96, sequence >>> 8, sequence, 0, 0, 0, 0, 0, 0, 0, 1], i * room);
  }
}

/** Both verbs over a store of packets, one after the other, for as long as a turn is; packets a second of each. */
function inTurns(protect: (store: Uint8Array) => void, unprotect: (store: Uint8Array) => void): Rates {
  const store = new Uint8Array(packets * room);
  let protecting = 0;
  let unprotecting = 0;
  let count = 0;
  for (let round = 0; protecting + unprotecting < 2 * turnMs; round++) {
    fill(store, round * packets);
    const start = performance.now();
    protect(store);
    const middle = performance.now();
    unprotect(store);
    const end = performance.now();
    if (round === 0) continue; // warming up
    protecting += middle - start;
    unprotecting += end - middle;
    count += packets;
  }
  return { protect: (count / protecting) * 1_000, unprotect: (count / unprotecting) * 1_000 };
}

function ours(profile: SrtpProfileName): Rates {
  const { provider: crypto } = chooseCrypto();
  const { keySize, saltSize } = profiles[profile];
  const key = { key: new Secret(new Uint8Array(keySize).fill(7)), salt: new Uint8Array(saltSize).fill(9) };
  const sender = new SrtpSender({ crypto, profile, key });
  const receiver = new SrtpReceiver({ crypto, profile, key });
  const size = packetSize + profiles[profile].rtpTagSize;
  return inTurns(
    (store) => {
      for (let i = 0; i < packets; i++) {
        if (sender.protect(store, i * room, packetSize) !== size) throw new Error("a packet was not protected");
      }
    },
    (store) => {
      for (let i = 0; i < packets; i++) {
        if (receiver.unprotect(store, i * room, size) !== packetSize) throw new Error("a packet did not come back");
      }
    },
  );
}

/** What we use of werift-rtp. */
interface Werift {
  readonly version: string;
  readonly SrtpSession: new (config: {
    readonly keys: Readonly<
      Record<"localMasterKey" | "localMasterSalt" | "remoteMasterKey" | "remoteMasterSalt", Buffer>
    >;
    readonly profile: number;
  }) => { encrypt(payload: Buffer, header: unknown): Buffer; decrypt(bytes: Buffer): Buffer };
  readonly RtpPacket: { deSerialize(bytes: Buffer): { readonly payload: Buffer; readonly header: unknown } };
}

const weriftHas = (number: number | undefined): number is 1 | 7 => number === 1 || number === 7;

/** It makes a new buffer for every packet: that is its interface. */
function theirs(werift: Werift, number: 1 | 7): Rates {
  const key = Buffer.alloc(16, 7);
  const salt = Buffer.alloc(number === 1 ? 14 : 12, 9);
  const session = new werift.SrtpSession({
    keys: { localMasterKey: key, localMasterSalt: salt, remoteMasterKey: key, remoteMasterSalt: salt },
    profile: number,
  });
  const sealed: Buffer[] = [];
  return inTurns(
    (store) => {
      for (let i = 0; i < packets; i++) {
        const packet = werift.RtpPacket.deSerialize(Buffer.from(store.buffer, i * room, packetSize));
        sealed[i] = session.encrypt(packet.payload, packet.header);
      }
    },
    () => {
      for (let i = 0; i < packets; i++) {
        if (session.decrypt(sealed[i]!).length !== packetSize) throw new Error("a packet did not come back");
      }
    },
  );
}

function compiledOrNothing(): string | undefined {
  try {
    return compiled("srtp-peer", ["-lsrtp2"]);
  } catch {
    console.error("without libsrtp: scripts/peers/install.sh srtp");
    return undefined;
  }
}

function weriftOrNothing(): Werift | undefined {
  const folder = new URL("../../bench/peers/", import.meta.url);
  const require = createRequire(new URL("package.json", folder));
  try {
    const { version } = require("./node_modules/werift-rtp/package.json") as { version: string };
    return { ...(require("werift-rtp") as Omit<Werift, "version">), version };
  } catch {
    console.error("without werift-rtp: npm install --prefix bench/peers --ignore-scripts");
    return undefined;
  }
}
