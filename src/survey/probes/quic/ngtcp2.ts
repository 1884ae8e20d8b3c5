import { createPrivateKey } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { PrivateFolder } from "../../folder.js";
import { ask, Program } from "../../program.js";
import type { Authority } from "../../stage/authority.js";
import { freeUdpPort, isUdpBound } from "../../udp.js";

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
      const folder = new PrivateFolder();
      const { chain, key } = await authority.pem(...names);
      // GnuTLS reads an EC key only with its public half in it, as it is after the way through a JWK.
      const jwk = createPrivateKey(key).export({ format: "jwk" });
      const whole = createPrivateKey({ key: jwk, format: "jwk" }).export({ type: "pkcs8", format: "pem" }).toString();
      const files = [folder.file("key", whole), folder.file("chain", chain)];
      // It cannot take a free port by itself, and says nothing when it listens.
      const port = await freeUdpPort();
      const program = new Program(
        "gtlsserver",
        [...args, "-d", folder.path, "127.0.0.1", String(port), ...files],
        signal,
      );
      await program.says(/Using document root/);
      while (!program.isOver && !isUdpBound(port)) await wait(5, undefined, { signal });
      const end = async () => {
        await program[Symbol.asyncDispose]();
        folder[Symbol.dispose]();
      };
      return { port, program, [Symbol.asyncDispose]: end };
    },
  };
}
