import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Namespaces } from "../../test/interop/peers/namespaces.js";
import { OpenVpnServer } from "../../test/interop/peers/openvpn.js";
import type { Program } from "../../test/interop/peers/program.js";
import type { Ends, TunnelEnd } from "./tunnel-ends.js";

const sealport = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));

/** A client, of ours with a device, of openvpn's, or nothing yet (the file is for a program), and openvpn as its server. */
export type ClientKind = "ours" | "openvpn" | "file";

/** `a` is the server's end and `b` the client's. */
export class OpenVpnEnds implements Ends, AsyncDisposable {
  readonly wires = new Namespaces();
  readonly #running: AsyncDisposable[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), "sealport-bench-"));
  readonly a: TunnelEnd = { namespace: this.wires.a, address: "10.79.0.1", file: "", pid: undefined };
  readonly b: TunnelEnd = {
    namespace: this.wires.b,
    address: "10.79.0.2",
    file: join(this.#folder, "client.ovpn"),
    pid: undefined,
  };

  static async start(kind: ClientKind, more: readonly string[]): Promise<OpenVpnEnds> {
    const ends = new OpenVpnEnds();
    try {
      await ends.#start(kind, more);
      return ends;
    } catch (error) {
      await ends[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #start(kind: ClientKind, more: readonly string[]): Promise<void> {
    const { a, b } = this;
    const server = await OpenVpnServer.start({ within: { namespace: a.namespace, address: "10.77.0.1" }, more });
    this.#running.push(server);
    Object.assign(a, { pid: server.pid });
    const file = server.file(`${more.join("\n")}\n`).replace("remote 127.0.0.1", "remote 10.77.0.1");
    writeFileSync(b.file, file, { mode: 0o600 });
    if (kind === "file") return;
    const program =
      kind === "ours"
        ? this.run(b, process.execPath, sealport, "tunnel", b.file, "--tun", "tun0")
        : this.run(b, "openvpn", "--config", b.file);
    await program.says(kind === "ours" ? /tun0 is open/ : /Initialization Sequence Completed/);
    Object.assign(b, { pid: program.pid });
  }

  run(end: TunnelEnd, command: string, ...args: readonly string[]): Program {
    const program = this.wires.run(end.namespace, command, command, ...args);
    this.#running.push(program);
    return program;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.#running.reverse()) await each[Symbol.asyncDispose]();
    this.wires[Symbol.dispose]();
    rmSync(this.#folder, { recursive: true });
  }
}
