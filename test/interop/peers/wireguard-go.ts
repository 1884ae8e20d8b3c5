import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { owns } from "./namespaces.js";
import { Program } from "./program.js";

export interface WireGuardGoOptions {
  /** Our public key, in base64. */
  readonly peerPublicKey: string;
  readonly preSharedKey?: string;
  /** Where we are, if it is to speak first. */
  readonly endpoint?: string;
  readonly persistentKeepaliveS?: number;
  /** An existing namespace for its port and its device both, which is then left alone. */
  readonly within?: string;
  /** Its addresses inside, and those that it believes of us; by default .1 and ::1 are its, .2 and ::2 ours. */
  readonly host?: 1 | 2;
  readonly listenPort?: number;
}

let count = 0;

/**
 * wireguard-go with its port on loopback and its device in a network namespace of its own: 10.99.0.1/24 and fd99::1/64
 * there, 10.99.0.2 and fd99::2 are ours. Programs of the namespace are the private network behind the tunnel.
 */
export class WireGuardGo implements AsyncDisposable {
  readonly publicKey: string;
  readonly port: number;
  readonly namespace: string;
  readonly device: string;
  readonly #program: Program;
  readonly #folder: string;
  readonly #ownsNamespace: boolean;

  static async start(options: WireGuardGoOptions): Promise<WireGuardGo> {
    need("wireguard-go", "wg", "ip");
    const id = `${process.pid % 100_000}${count++}`;
    const folder = mkdtempSync(join(tmpdir(), "sealport-wg-"));
    const device = `wg${id}`;
    const namespace = options.within ?? `sealport${id}`;
    const command = ["wireguard-go", "-f", device];
    const [start, ...rest] = options.within === undefined ? command : ["ip", "netns", "exec", namespace, ...command];
    const program = new Program("wireguard-go", start!, rest, {
      WG_PROCESS_FOREGROUND: "1",
      LOG_LEVEL: "verbose",
    });
    try {
      await program.says(/UAPI listener started/);
      const privateKey = run("wg", "genkey");
      const keyFile = join(folder, "key");
      writeFileSync(keyFile, privateKey, { mode: 0o600 });
      const arguments_ = [
        "set",
        device,
        "private-key",
        keyFile,
        "listen-port",
        String(options.listenPort ?? 0),
        "peer",
        options.peerPublicKey,
      ];
      if (options.preSharedKey !== undefined) {
        writeFileSync(join(folder, "psk"), options.preSharedKey, { mode: 0o600 });
        arguments_.push("preshared-key", join(folder, "psk"));
      }
      if (options.endpoint !== undefined) arguments_.push("endpoint", options.endpoint);
      if (options.persistentKeepaliveS !== undefined) {
        arguments_.push("persistent-keepalive", String(options.persistentKeepaliveS));
      }
      const host = options.host ?? 1;
      run("wg", ...arguments_, "allowed-ips", `10.99.0.${3 - host}/32,fd99::${3 - host}/128`);
      if (options.within === undefined) {
        run("ip", "netns", "add", namespace);
        // The device moves; its UDP socket stays where it was made.
        run("ip", "link", "set", device, "netns", namespace);
      }
      run("ip", "-n", namespace, "addr", "add", `10.99.0.${host}/24`, "dev", device);
      run("ip", "-n", namespace, "addr", "add", `fd99::${host}/64`, "dev", device, "nodad");
      run("ip", "-n", namespace, "link", "set", "lo", "up");
      run("ip", "-n", namespace, "link", "set", device, "mtu", "1420", "up");
      owns(namespace, `10.99.0.${host}`, `fd99::${host}`);
      const port = Number(run("wg", "show", device, "listen-port"));
      const publicKey = run("wg", "show", device, "public-key");
      return new WireGuardGo(program, folder, device, namespace, publicKey, port, options.within === undefined);
    } catch (error) {
      await program[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(
    program: Program,
    folder: string,
    device: string,
    namespace: string,
    publicKey: string,
    port: number,
    ownsNamespace: boolean,
  ) {
    this.#ownsNamespace = ownsNamespace;
    this.#program = program;
    this.#folder = folder;
    this.device = device;
    this.namespace = namespace;
    this.publicKey = publicKey;
    this.port = port;
  }

  get pid(): number | undefined {
    return this.#program.pid;
  }

  /** What it has logged. */
  get said(): string {
    return this.#program.said;
  }

  says(pattern: RegExp, from = 0): Promise<RegExpMatchArray> {
    return this.#program.says(pattern, from);
  }

  /** `wg show DEVICE WHAT`. */
  show(what: string): string {
    return run("wg", "show", this.device, what);
  }

  stop(): void {
    this.#program.kill("SIGSTOP");
  }

  goOn(): void {
    this.#program.kill("SIGCONT");
  }

  /** `wg set DEVICE …`. */
  set(...what: readonly string[]): void {
    run("wg", "set", this.device, ...what);
  }

  /** A program of the private network behind the tunnel. */
  inside(name: string, command: string, ...args: readonly string[]): Program {
    return new Program(name, "ip", ["netns", "exec", this.namespace, command, ...args]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
    if (this.#ownsNamespace) run("ip", "netns", "del", this.namespace);
    rmSync(this.#folder, { recursive: true });
  }
}

function run(command: string, ...args: readonly string[]): string {
  return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
}

function need(...programs: readonly string[]): void {
  for (const program of programs) {
    try {
      execFileSync("sh", ["-c", `command -v ${program}`], { stdio: "ignore" });
    } catch {
      throw new Error(`${program} is not here; scripts/peers/install.sh wireguard installs it`);
    }
  }
}
