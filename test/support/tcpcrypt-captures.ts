import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { concat, equal, fromHex } from "../../src/bytes/index.js";
import { type Agreement, type CryptoProvider, Secret } from "../../src/contract/index.js";
import { decompressPoint } from "../../src/crypto/index.js";
import { type Tep, type TepName, teps } from "../../src/protocols/tcpcrypt/index.js";

/** A recorded frame. */
export interface RecordedFrame {
  readonly offset: number;
  readonly clen: number;
  readonly plaintext_flags: number;
  /** Hex; what is longer than 400 bytes ends with dots. */
  readonly plaintext: string;
}

/** A segment of a recording, without its Ethernet and IP headers. */
export interface RecordedSegment {
  readonly from: "A" | "B";
  readonly flags: number;
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly ports: readonly [number, number];
  readonly options: Uint8Array;
  readonly payload: Uint8Array;
}

const folder = new URL("../../../test/vectors/data/tcpcrypt/", import.meta.url);
export const recordings: readonly string[] = readdirSync(folder)
  .filter((name) => name.endsWith(".json"))
  .map((name) => name.slice(0, -".json".length))
  .sort();

/** A whole connection of a stranger with a stranger, and all its secrets. */
export class Recording {
  readonly name: string;
  readonly segments: readonly RecordedSegment[];
  readonly frames: { readonly A: readonly RecordedFrame[]; readonly B: readonly RecordedFrame[] };
  readonly #secrets: Readonly<Record<string, string>>;

  constructor(name: string) {
    this.name = name;
    const json = JSON.parse(readFileSync(new URL(`${name}.json`, folder), "utf8")) as {
      readonly secrets: Readonly<Record<string, string>>;
      readonly frames_from_A: readonly RecordedFrame[];
      readonly frames_from_B: readonly RecordedFrame[];
    };
    this.#secrets = json.secrets;
    this.frames = { A: json.frames_from_A, B: json.frames_from_B };
    this.segments = readPcap(Uint8Array.from(readFileSync(new URL(`${name}.pcap`, folder))));
  }

  secret(name: string): Uint8Array {
    const text = this.#secrets[name];
    assert.ok(text !== undefined, `${this.name} has no ${name}`);
    return fromHex(text);
  }

  /** The TEP, by the last byte of B's option in the transcript. */
  get tep(): Tep & { readonly name: TepName } {
    const id = this.secret("eno_transcript").at(-1);
    return teps.find((each) => each.id === id)!;
  }

  /** All that a side sent as data, put in order. */
  stream(side: "A" | "B"): Uint8Array {
    const sent = this.segments.filter(({ from, payload }) => from === side && payload.length > 0);
    const start = this.segments.find(({ from, flags }) => from === side && (flags & 2) !== 0)!.sequence + 1;
    const end = Math.max(...sent.map(({ sequence, payload }) => ((sequence - start) >>> 0) + payload.length));
    const bytes = new Uint8Array(end);
    for (const { sequence, payload } of sent) bytes.set(payload, (sequence - start) >>> 0);
    return bytes;
  }

  /**
   * A provider whose key agreement is the recorded one: our side has the recorded public key, and whoever comes with the other
   * recorded key gets the recorded secret. The private keys were not recorded.
   */
  provider(real: CryptoProvider, side: "A" | "B"): CryptoProvider {
    const share = { A: this.#share("init1"), B: this.#share("init2") };
    const other = share[side === "A" ? "B" : "A"];
    const agree = (given: Uint8Array): Secret | undefined =>
      equal(given, other) ? new Secret(this.secret("es")) : undefined;
    const agreement = (name: Agreement["name"]): Agreement => ({
      ...real.agreement(name),
      initiate: () => ({ share: share[side], privateKey: new Secret(new Uint8Array(1)) }),
      respond: (given) => {
        const secret = agree(given);
        return secret && { share: share[side], secret };
      },
      conclude: (_, given) => agree(given),
    });
    return new Proxy(real, {
      get: (target, name) => (name === "agreement" ? agreement : Reflect.get(target, name, target)),
    });
  }

  /** Gives the recorded nonce of this side, once. */
  entropy(side: "A" | "B"): { fill(into: Uint8Array): Uint8Array } {
    const [init, at] =
      side === "A" ? [this.secret("init1"), 9 + 2 * this.secret("init1")[8]!] : [this.secret("init2"), 10];
    const nonce = init.slice(at, at + 32);
    return {
      fill: (into) => {
        assert.equal(into.length, nonce.length);
        into.set(nonce);
        return into;
      },
    };
  }

  #share(name: "init1" | "init2"): Uint8Array {
    const init = this.secret(name);
    const { curve } = this.tep;
    const at = (name === "init1" ? 9 + 2 * init[8]! : 10) + 32;
    return curve === undefined ? init.slice(at) : decompressPoint(curve, init.slice(at + 2))!;
  }
}

/** libpcap's classic format, Ethernet, IPv4: what these recordings are. */
function readPcap(bytes: Uint8Array): RecordedSegment[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  assert.equal(view.getUint32(0, true), 0xa1b2c3d4);
  assert.equal(view.getUint32(20, true), 1);
  const segments: RecordedSegment[] = [];
  let opener: number | undefined;
  for (let at = 24; at < bytes.length; ) {
    const size = view.getUint32(at + 8, true);
    const ip = at + 16 + 14;
    at += 16 + size;
    const tcp = ip + (bytes[ip]! & 15) * 4;
    const data = tcp + (bytes[tcp + 12]! >> 4) * 4;
    const ports = [view.getUint16(tcp), view.getUint16(tcp + 2)] as const;
    opener ??= ports[0];
    segments.push({
      from: ports[0] === opener ? "A" : "B",
      flags: bytes[tcp + 13]!,
      sequence: view.getUint32(tcp + 4),
      acknowledgment: view.getUint32(tcp + 8),
      ports,
      options: bytes.slice(tcp + 20, data),
      payload: bytes.slice(data, ip + view.getUint16(ip + 2)),
    });
  }
  return segments;
}

/** Options of a segment: kind and content, padding aside. */
export function optionsOf(options: Uint8Array): { readonly kind: number; readonly content: Uint8Array }[] {
  const found: { kind: number; content: Uint8Array }[] = [];
  for (let at = 0; at < options.length; ) {
    const kind = options[at]!;
    if (kind === 0) break;
    if (kind === 1) {
      at++;
      continue;
    }
    const size = options[at + 1]!;
    found.push({ kind, content: options.slice(at + 2, at + size) });
    at += size;
  }
  return found;
}

/** The bytes that all frames of a side hold together; undefined where the recording has cut one. */
export const dataOf = (frames: readonly RecordedFrame[]): Uint8Array | undefined =>
  frames.some(({ plaintext }) => plaintext.endsWith("..."))
    ? undefined
    : concat(...frames.map(({ plaintext }) => fromHex(plaintext)));
