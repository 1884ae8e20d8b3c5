import { PrivateFolder } from "../folder.js";
import { ask, Program } from "../program.js";
import type { Authority } from "./authority.js";

/** The OpenSSL of this machine as a peer: another implementation, by other people. */
export interface Openssl {
  /** "OpenSSL 3.0.17". */
  readonly name: string;
  /** Its `s_client` takes `-quic`: from 3.2 on, unless it was built without. */
  readonly hasQuic: boolean;
  /** `s_server` on a free port, with an identity of the authority unless the arguments say `-nocert`. */
  serve(names: readonly string[], args: readonly string[], signal: AbortSignal): Promise<OpensslServer>;
  /** `s_client`, trusting the authority. */
  connect(port: number, args: readonly string[], signal: AbortSignal): Promise<Program>;
}

export interface OpensslServer extends AsyncDisposable {
  readonly port: number;
  readonly program: Program;
}

/**
 * Looks for OpenSSL 3 or later. Its files are in a folder of their owner's alone, and go when the process ends.
 * @param command - how it is started; default `openssl` in PATH
 */
export async function findOpenssl(
  authority: Authority,
  [command, ...before]: readonly [string, ...string[]] = ["openssl"],
): Promise<Openssl | undefined> {
  const version = await ask(command, [...before, "version"]);
  const [name, major, minor] = /^OpenSSL ([3-9])\.(\d+)\.\d+/.exec(version ?? "") ?? [];
  if (name === undefined) return undefined;
  const isNew = Number(major) > 3 || Number(minor) >= 2;
  const lacking = isNew ? await ask(command, [...before, "list", "-disabled"]) : undefined;
  let folder: PrivateFolder | undefined;
  const file = (as: string, text: string): string => {
    folder ??= new PrivateFolder();
    return folder.file(as, text);
  };
  return {
    name,
    hasQuic: lacking !== undefined && !/\bQUIC\b/.test(lacking),
    async serve(names, args, signal) {
      const identity: string[] = [];
      if (!args.includes("-nocert")) {
        const { chain, key } = await authority.pem(...names);
        identity.push("-cert", file(`${names[0]}.crt`, chain), "-key", file(`${names[0]}.key`, key));
      }
      const program = new Program(
        command,
        [...before, "s_server", "-accept", "127.0.0.1:0", ...identity, ...args],
        signal,
      );
      const [, port] = await program.says(/^ACCEPT 127\.0\.0\.1:(\d+)/m);
      return { port: Number(port), program, [Symbol.asyncDispose]: () => program[Symbol.asyncDispose]() };
    },
    async connect(port, args, signal) {
      const trusted = file("authority.crt", authority.trustPem);
      const trust = ["-CAfile", trusted, "-verify_return_error"];
      return new Program(command, [...before, "s_client", "-connect", `127.0.0.1:${port}`, ...trust, ...args], signal);
    },
  };
}
