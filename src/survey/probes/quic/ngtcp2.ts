import { createPrivateKey } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { ask, Program } from "../../program.js";
import type { Authority } from "../tls/stage.js";
import { bound } from "./wire.js";

/** ngtcp2's server on GnuTLS as a peer: another implementation, by other people. It speaks HTTP/3 alone. */
export interface Ngtcp2 {
  readonly name: string;
  /** On a free port, with an identity of the authority. */
  serve(names: readonly string[], args: readonly string[], signal: AbortSignal): Promise<Ngtcp2Server>;
}

export interface Ngtcp2Server extends AsyncDisposable {
  readonly port: number;
  readonly program: Program;
}

/** Looks for `gtlsserver` in PATH. Its files are in a folder of their owner's alone, and go when the process ends. */
export async function findNgtcp2(authority: Authority): Promise<Ngtcp2 | undefined> {
  if ((await ask("gtlsserver", ["--help"])) === undefined) return undefined;
  return {
    name: "ngtcp2's gtlsserver",
    async serve(names, args, signal) {
      const folder = mkdtempSync(join(tmpdir(), "sealport-"));
      const gone = () => rmSync(folder, { recursive: true, force: true });
      process.once("exit", gone);
      const { chain, key } = await authority.pem(...names);
      const files = [join(folder, "key"), join(folder, "chain")] as const;
      // GnuTLS reads an EC key only with its public half in it, as it is after the way through a JWK.
      const jwk = createPrivateKey(key).export({ format: "jwk" });
      const whole = createPrivateKey({ key: jwk, format: "jwk" }).export({ type: "pkcs8", format: "pem" });
      writeFileSync(files[0], whole, { mode: 0o600 });
      writeFileSync(files[1], chain, { mode: 0o600 });
      // It cannot take a free port by itself, and says nothing when it listens: a port that was free a moment ago.
      const socket = await bound();
      const { port } = socket.address();
      await new Promise<void>((closed) => socket.close(closed));
      const program = new Program("gtlsserver", [...args, "-d", folder, "127.0.0.1", String(port), ...files], signal);
      await program.says(/Using document root/);
      while (!program.isOver && !isBound(port)) await wait(5, undefined, { signal });
      const end = async () => {
        await program[Symbol.asyncDispose]();
        process.off("exit", gone);
        gone();
      };
      return { port, program, [Symbol.asyncDispose]: end };
    },
  };
}

/** Has somebody bound this UDP port? The kernel's table knows; where there is none, nobody can tell. */
function isBound(port: number): boolean {
  try {
    const local = `:${port.toString(16).toUpperCase().padStart(4, "0")} `;
    return readFileSync("/proc/net/udp", "latin1").includes(local);
  } catch {
    return true;
  }
}
