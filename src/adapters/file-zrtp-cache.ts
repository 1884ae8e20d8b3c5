import { fromHex, toHex } from "../bytes/index.js";
import { type Entropy, Failure, type Instant, Secret } from "../contract/index.js";
import { isOpenToOthers, readWhole, replaceWhole } from "../hosts/node/files.js";
import { MemoryZrtpCache, type RetainedSecrets, type ZrtpCache, zidSize } from "../protocols/zrtp/index.js";

/**
 * A cache of ZRTP's retained secrets in one file that its owner alone may read (mode 0600), with our own ZID, for one process at a
 * time. A file that others may read is refused, and so is one that makes no sense: without it every peer would be a stranger. Each
 * change is written beside the file and then renamed over it, so a crash leaves the old secrets or the new ones.
 */
export class FileZrtpCache implements ZrtpCache {
  readonly path: string;
  /** Drawn when the file was made (RFC 6189 §4.9). */
  readonly zid: Uint8Array;
  readonly #memory = new MemoryZrtpCache();
  /** Whom the file knows: the memory's keys, in the order of their last call. */
  readonly #peers = new Set<string>();
  #saved: Promise<void> = Promise.resolve();

  private constructor(path: string, zid: Uint8Array) {
    this.path = path;
    this.zid = zid;
  }

  /** Reads the file, or makes one with a new ZID. Throws a `misuse` failure if others may read it, or if it is none of ours. */
  static async open(path: string, entropy: Entropy): Promise<FileZrtpCache> {
    const bytes = await readWhole(path);
    if (bytes === undefined) {
      const cache = new FileZrtpCache(path, entropy.fill(new Uint8Array(zidSize)));
      await cache.#save();
      return cache;
    }
    if (await isOpenToOthers(path)) {
      throw unusable(path, "cache-file-readable", `others may read ${path}, which holds secrets`, `chmod 600 ${path}`);
    }
    const read = parse(new TextDecoder().decode(bytes));
    if (read === undefined) {
      throw unusable(
        path,
        "bad-cache-file",
        `${path} is no cache of ZRTP's secrets`,
        "name another file, or remove it",
      );
    }
    const cache = new FileZrtpCache(path, read.zid);
    for (const [zid, secrets] of read.peers) cache.#keep(zid, secrets);
    return cache;
  }

  get(zid: string, _now: Instant): RetainedSecrets | undefined {
    return this.#memory.get(zid);
  }

  set(zid: string, secrets: RetainedSecrets): Promise<void> {
    this.#keep(zid, secrets);
    return this.#save();
  }

  delete(zid: string): Promise<void> {
    this.#memory.delete(zid);
    this.#peers.delete(zid);
    return this.#save();
  }

  #keep(zid: string, secrets: RetainedSecrets): void {
    this.#memory.set(zid, secrets);
    this.#peers.delete(zid);
    this.#peers.add(zid);
  }

  /** One write after another; each has all that there is by then. */
  #save(): Promise<void> {
    this.#saved = this.#saved
      .catch(() => undefined)
      .then(() => replaceWhole(this.path, new TextEncoder().encode(this.#format())));
    return this.#saved;
  }

  #format(): string {
    const peers: Record<string, Stored> = {};
    for (const zid of this.#peers) {
      const held = this.#memory.get(zid);
      // Past the memory's limit it has forgotten.
      if (held === undefined) this.#peers.delete(zid);
      else peers[zid] = stored(held);
    }
    return `${JSON.stringify({ format: 1, zid: toHex(this.zid), peers })}\n`;
  }
}

interface Stored {
  readonly rs1?: string;
  readonly rs2?: string;
  readonly pbx?: string;
  readonly verified: boolean;
  readonly expiresAt?: number;
}

function stored({ rs1, rs2, pbx, verified, expiresAt }: RetainedSecrets): Stored {
  return {
    ...(rs1 && { rs1: toHex(rs1.expose()) }),
    ...(rs2 && { rs2: toHex(rs2.expose()) }),
    ...(pbx && { pbx: toHex(pbx.expose()) }),
    verified,
    ...(expiresAt !== undefined && { expiresAt }),
  };
}

function parse(text: string): { zid: Uint8Array; peers: [string, RetainedSecrets][] } | undefined {
  try {
    const { format, zid, peers } = JSON.parse(text) as { format: number; zid: string; peers: Record<string, Stored> };
    const own = fromHex(zid);
    if (format !== 1 || own.length !== zidSize) return undefined;
    const secret = (hex: string | undefined): Secret | undefined =>
      hex === undefined ? undefined : new Secret(fromHex(hex));
    return {
      zid: own,
      peers: Object.entries(peers).map(([peer, { rs1, rs2, pbx, verified, expiresAt }]) => [
        peer,
        { rs1: secret(rs1), rs2: secret(rs2), pbx: secret(pbx), verified: verified === true, expiresAt },
      ]),
    };
  } catch {
    return undefined;
  }
}

const unusable = (at: string, reason: string, message: string, hint: string): Failure =>
  new Failure({ fault: "misuse", reason, protocol: "ZRTP", at, message, hint });
