import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeKeyDirectory } from "../../../adapters/curvecp/index.js";
import { toHex } from "../../../bytes/index.js";
import type { KeyPair } from "../../../protocols/curvecp/index.js";
import { ask, Program } from "../../program.js";
import type { Echo } from "./stage.js";

/** NaCl's programs, by other people. */
export interface Nacl {
  readonly name: string;
  /** Its client says something to our echo, under a long-term key that we gave it, and hears it again; answers what it heard. */
  say(to: Echo, identity: KeyPair, text: string, signal: AbortSignal): Promise<string>;
}

/** Looks for them in PATH. */
export async function findNacl(): Promise<Nacl | undefined> {
  const found = await ask("sh", ["-c", "command -v curvecpclient && command -v curvecpmessage"]);
  if (found === undefined) return undefined;
  return {
    name: "NaCl's curvecpclient",
    async say({ identity: server, listener }, identity, text, signal) {
      const folder = await mkdtemp(join(tmpdir(), "sealport-survey-"));
      try {
        const keys = join(folder, "keys");
        await makeKeyDirectory(keys, identity);
        const talk = `printf %s '${text}' >&7; exec 7>&-; cat <&6; echo; echo end`;
        await using client = new Program(
          "curvecpclient",
          [
            ...["-c", keys, "survey.test", toHex(server.publicKey), "127.0.0.1", String(listener.local.port)],
            ...["0".repeat(32), "curvecpmessage", "-C", "sh", "-c", talk],
          ],
          signal,
        );
        const [, heard = ""] = await client.says(/^(.*)\nend\n/s);
        return heard;
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}
