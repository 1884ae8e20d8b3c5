import { execFileSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { authority, type IdentityName, identity } from "./certificates.js";
import { ip } from "./namespaces.js";
import { Program } from "./program.js";

export interface StrongSwanOptions {
  /** The sections of swanctl.conf(5); `LOCAL` and `REMOTE` become its address and ours. */
  readonly conf: string;
  /** Whose certificates and keys it has. */
  readonly identities?: readonly IdentityName[];
  /** Lines within `charon { }` of strongswan.conf(5). */
  readonly charon?: string;
  /** The network namespace that our end of the wire is in. Default: the one that this runs in. */
  readonly within?: string;
  /** Runs at our end of this one's wire instead, in the namespace that it is `within`, and makes none of its own. */
  readonly facing?: StrongSwan;
}

let count = 0;

/**
 * strongSwan's charon in a network namespace of its own, at the other end of a wire from ours: `address` is its, `ours` ours. What it
 * keys is carried by its user-space ESP, through a device of the namespace.
 */
export class StrongSwan implements AsyncDisposable {
  readonly address: string;
  readonly ours: string;
  readonly namespace: string;
  readonly #folder: string;
  readonly #wire: string;
  readonly #facing: StrongSwan | undefined;
  #within: string | undefined;
  #program: Program | undefined;

  static async start(options: StrongSwanOptions): Promise<StrongSwan> {
    if (!existsSync(charon)) throw new Error("charon is not here; scripts/peers/install.sh ike installs it");
    const peer = new StrongSwan(options.facing);
    try {
      await peer.#begin(options);
      return peer;
    } catch (error) {
      await peer[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(facing?: StrongSwan) {
    const id = `${process.pid % 100_000}i${count++}`;
    this.#facing = facing;
    this.#wire = `sw${id}`;
    this.#folder = mkdtempSync(join(tmpdir(), "sealport-ike-"));
    if (facing !== undefined) {
      if (facing.#within === undefined) throw new Error("it would change this machine's own routes");
      this.namespace = facing.#within;
      [this.address, this.ours] = [facing.ours, facing.address];
      return;
    }
    this.namespace = `sswan${id}`;
    // Of the block for measurements (RFC 2544), of which nobody has addresses.
    const net = `198.${18 + randomInt(2)}.${randomInt(256)}.${4 * randomInt(64)}`;
    const [a, b, c, d] = net.split(".").map(Number);
    this.ours = `${a}.${b}.${c}.${d! + 1}`;
    this.address = `${a}.${b}.${c}.${d! + 2}`;
  }

  async #begin({ conf, identities = [], charon: more = "", within }: StrongSwanOptions): Promise<void> {
    const at = (...parts: readonly string[]): string => join(this.#folder, ...parts);
    for (const kind of ["x509ca", "x509", "private"]) mkdirSync(at("swanctl", kind), { recursive: true });
    copyFileSync(authority(), at("swanctl", "x509ca", "ca.crt"));
    for (const name of identities) {
      copyFileSync(identity(name).certificate, at("swanctl", "x509", `${name}.crt`));
      copyFileSync(identity(name).key, at("swanctl", "private", `${name}.key`));
    }
    writeFileSync(
      at("swanctl", "swanctl.conf"),
      conf.replaceAll("LOCAL", this.address).replaceAll("REMOTE", this.ours),
      {
        mode: 0o600,
      },
    );
    writeFileSync(
      at("strongswan.conf"),
      `charon {
  load = ${plugins}
  install_virtual_ip_on = lo
  plugins { vici { socket = unix://${at("vici")} } }
  filelog { log { path = ${at("log")}
    default = 1
    ike = 2
    flush_line = yes } }
  ${more}
}
libtls { suites = TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 }
`,
    );
    if (this.#facing === undefined) this.#lay(within);
    // Its pid file is always the same: it has a /run of its own.
    const start = `mount -t tmpfs tmpfs /run && exec ${charon}`;
    const [command, ...args] = ["ip", "netns", "exec", this.namespace, "unshare", "-m", "sh", "-c", start];
    this.#program = new Program("charon", command!, args, { STRONGSWAN_CONF: at("strongswan.conf") });
    await this.says(/spawning \d+ worker threads/);
    while (!existsSync(at("vici"))) await new Promise((again) => setTimeout(again, 20));
    this.swanctl("--load-all");
  }

  /** A namespace, the wire to it, and a network behind it. */
  #lay(within: string | undefined): void {
    this.#within = within;
    ip("netns", "add", this.namespace);
    const here = within === undefined ? [] : ["-n", within];
    ip(...here, "link", "add", this.#wire, "type", "veth", "peer", "name", "wire", "netns", this.namespace);
    ip(...here, "addr", "add", `${this.ours}/30`, "dev", this.#wire);
    ip(...here, "link", "set", this.#wire, "up");
    ip("-n", this.namespace, "addr", "add", `${this.address}/30`, "dev", "wire");
    ip("-n", this.namespace, "link", "set", "wire", "up");
    ip("-n", this.namespace, "link", "set", "lo", "up");
    ip("-n", this.namespace, "addr", "add", "10.2.0.1/24", "dev", "lo");
  }

  get pid(): number | undefined {
    return this.#program?.pid;
  }

  /** Runs swanctl(8) and answers what it says. */
  swanctl(...args: readonly string[]): string {
    const env = {
      ...process.env,
      STRONGSWAN_CONF: join(this.#folder, "strongswan.conf"),
      SWANCTL_DIR: join(this.#folder, "swanctl"),
    };
    const uri = `unix://${join(this.#folder, "vici")}`;
    try {
      return execFileSync("swanctl", [...args, "--uri", uri], {
        env,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "pipe"],
      });
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string };
      throw new Error(`swanctl ${args.join(" ")}: ${stdout}${stderr}\n${this.said}`);
    }
  }

  /** The same without waiting for what we have to answer. */
  asks(...args: readonly string[]): Program {
    const uri = `unix://${join(this.#folder, "vici")}`;
    return new Program("swanctl", "swanctl", [...args, "--uri", uri], {
      STRONGSWAN_CONF: join(this.#folder, "strongswan.conf"),
      SWANCTL_DIR: join(this.#folder, "swanctl"),
    });
  }

  /** Its log: to a pipe or a socket it writes nothing. */
  get said(): string {
    const log = join(this.#folder, "log");
    return existsSync(log) ? readFileSync(log, "utf8") : "";
  }

  /** Waits for the pattern in what was said after `from` characters. */
  async says(pattern: RegExp, from = 0): Promise<RegExpMatchArray> {
    const until = Date.now() + 60_000;
    for (;;) {
      const match = this.said.slice(from).match(pattern);
      if (match !== null) return match;
      const status = this.#program?.status;
      if (status !== undefined || Date.now() > until)
        throw new Error(`charon (${status}) did not say ${pattern}: ${this.said}`);
      await new Promise((again) => setTimeout(again, 20));
    }
  }

  /** Runs `ip` in its namespace. */
  ip(...args: readonly string[]): string {
    return ip("-n", this.namespace, ...args);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program?.[Symbol.asyncDispose]();
    const made = [
      ["link", "del", this.#wire],
      ["netns", "del", this.namespace],
    ];
    for (const undo of this.#facing === undefined ? made : []) {
      try {
        ip(...undo);
      } catch {
        // It was never made, or went with the other.
      }
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export const charon = "/usr/lib/ipsec/charon";
const plugins = [
  "random nonce openssl aes sha1 sha2 md5 hmac kdf gcm chapoly curve25519 x509 revocation constraints pubkey pkcs1 pkcs8 pem",
  "kernel-libipsec kernel-netlink socket-default updown vici eap-identity eap-mschapv2 eap-tls eap-md5 resolve addrblock",
].join(" ");
