import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromHex, toHex } from "../../../src/bytes/index.js";
import { freePort } from "../../support/free-port.js";
import { peer } from "./find.js";
import { Program } from "./program.js";
import { listeningUdp } from "./udp-port.js";

/** What both sides are called here, and the extension of either. */
export const serverName = "this.machine.name";
export const extension: Uint8Array = fromHex("31415926535897932384626433832795");

/** A key directory that NaCl's own program made. */
export class NaclKeys implements Disposable {
  readonly path: string;
  readonly #parent = mkdtempSync(join(tmpdir(), "sealport-curvecp-"));

  constructor() {
    this.path = join(this.#parent, "keys");
    const { command, prefix } = peer("curvecpmakekey");
    execFileSync(command, [...prefix, this.path]);
  }

  get publicKey(): Uint8Array {
    return new Uint8Array(readFileSync(join(this.path, "publickey")));
  }

  [Symbol.dispose](): void {
    rmSync(this.#parent, { recursive: true, force: true });
  }
}

/** NaCl's server on a free port; each connection gets a shell command, whose input and output it is. */
export async function naclServer(keys: NaclKeys, shell: string): Promise<{ program: Program; port: number }> {
  const { command, prefix } = peer("curvecpserver");
  const port = await freePort();
  const program = new Program("NaCl's CurveCP server", command, [
    ...prefix,
    ...[serverName, keys.path, "127.0.0.1", String(port), toHex(extension)],
    ...["curvecpmessage", "-s", "sh", "-c", shell],
  ]);
  await listeningUdp(port, program);
  return { program, port };
}

/**
 * NaCl's client. The shell command reads from the network at descriptor 6 and writes to it at 7; both must be closed for the
 * other side to see an end.
 */
export function naclClient(
  port: number,
  serverKey: Uint8Array,
  shell: string,
  { keys, name = serverName, first = true }: { keys?: NaclKeys; name?: string; first?: boolean } = {},
): Program {
  const { command, prefix } = peer("curvecpclient");
  return new Program("NaCl's CurveCP client", command, [
    ...prefix,
    ...(keys === undefined ? [] : ["-c", keys.path]),
    ...[name, toHex(serverKey), "127.0.0.1", String(port), toHex(extension)],
    ...["curvecpmessage", first ? "-C" : "-c", "sh", "-c", shell],
  ]);
}
