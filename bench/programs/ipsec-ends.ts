import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Namespace } from "../../test/interop/peers/namespaces.js";
import { Program } from "../../test/interop/peers/program.js";
import { StrongSwan } from "../../test/interop/peers/strongswan.js";
import type { Ends, TunnelEnd } from "./tunnel-ends.js";

const sealport = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
const inside = "10.2.0.1";

const common = (esp: string) => `version = 2
    proposals = aes128gcm16-prfsha256-x25519
    children { lan { esp_proposals = ${esp}
      CHILD } }
    local { auth = psk
      id = OWN }
    remote { auth = psk
      id = OTHER }`;

const gateway = (esp: string): string => `connections { office {
    local_addrs = LOCAL
    encap = yes
    pools = inside
    ${common(esp).replace("CHILD", "local_ts = 10.2.0.0/24\n      remote_ts = dynamic").replace("OWN", "server.taps.test").replace("OTHER", "%any")}
} }
secrets { ike { secret = "test-psk-not-secret" } }
pools { inside { addrs = 10.3.0.0/28 } }
`;

const client = (address: string, esp: string): string => `connections { office {
    remote_addrs = ${address}
    vips = 0.0.0.0
    ${common(esp).replace("CHILD", "remote_ts = 10.2.0.0/24").replace("OWN", "client.taps.test").replace("OTHER", "server.taps.test")}
} }
secrets { ike-office { id-1 = client.taps.test
  secret = "test-psk-not-secret" } }
`;

/** `a` is the client's end, a device of ours or of strongSwan's kernel-libipsec; `b` is a gateway of strongSwan's, likewise in user space. */
export class IpsecEnds implements Ends, AsyncDisposable {
  readonly #home = new Namespace();
  readonly #running: AsyncDisposable[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), "sealport-bench-"));
  a!: TunnelEnd;
  b!: TunnelEnd;

  static async start(kind: "ours" | "strongSwan", esp: string): Promise<IpsecEnds> {
    const ends = new IpsecEnds();
    try {
      await ends.#start(kind, esp);
      return ends;
    } catch (error) {
      await ends[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #start(kind: "ours" | "strongSwan", esp: string): Promise<void> {
    const peer = await StrongSwan.start({ conf: gateway(esp), within: this.#home.name });
    this.#running.push(peer);
    this.b = { namespace: peer.namespace, address: inside, file: "", pid: peer.pid };
    const file = join(this.#folder, "office.swanctl.conf");
    const text = client(peer.address, esp);
    writeFileSync(file, text, { mode: 0o600 });
    const end = { namespace: this.#home.name, address: peer.ours, file };
    if (kind === "strongSwan") {
      const other = await StrongSwan.start({ conf: text, facing: peer });
      this.#running.push(other);
      other.swanctl("--initiate", "--child", "lan");
      this.a = { ...end, pid: other.pid };
    } else {
      const program = this.run(end, process.execPath, sealport, "tunnel", file, "--tun", "tun0");
      await program.says(/tun0 is open/);
      this.a = { ...end, pid: program.pid };
    }
  }

  run({ namespace }: Pick<TunnelEnd, "namespace">, command: string, ...args: readonly string[]): Program {
    const program = new Program(command, "ip", ["netns", "exec", namespace, command, ...args]);
    this.#running.push(program);
    return program;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.#running.reverse()) await each[Symbol.asyncDispose]();
    this.#home[Symbol.dispose]();
    rmSync(this.#folder, { recursive: true });
  }
}
