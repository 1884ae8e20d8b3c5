import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { asJson, choiceFrom, explorerServer, page, play } from "../../explorer/index.js";
import type { CommandContext } from "../command.js";
import { type ExitName, UsageError } from "../exit.js";
import { host } from "../host.js";

export interface ExploreValues {
  readonly scene: string | undefined;
  readonly beside: string | undefined;
  readonly delay: number | undefined;
  readonly loss: number | undefined;
  readonly seed: number | undefined;
  readonly bytes: number | undefined;
  readonly port: number | undefined;
  readonly html: boolean;
  readonly json: boolean;
}

/** Plays one scene for a file, or serves all of them to the browser of whoever sits here. */
export async function explore(values: ExploreValues, { terminal, signal }: CommandContext): Promise<ExitName> {
  if (values.html && values.json) throw new UsageError("--html and --json exclude each other");
  const { crypto } = host();
  const given: Readonly<Record<string, string | number | undefined>> = { ...values, html: undefined, json: undefined };
  const choice = (() => {
    try {
      return choiceFrom((name) => given[name]?.toString());
    } catch (error) {
      throw new UsageError(`--${(error as RangeError).message}`);
    }
  })();
  const { scene, beside, conditions } = choice;
  if (values.html) {
    const wanted = beside === undefined ? [scene] : [scene, beside];
    const recordings = [];
    for (const each of wanted) recordings.push(await play(each, conditions, crypto));
    terminal.print(page(choice, recordings, false).trimEnd());
    return "ok";
  }
  if (values.json) {
    terminal.document(asJson(await play(scene, conditions, crypto)));
    return "ok";
  }
  const server = explorerServer(crypto);
  server.listen(values.port ?? 0, "127.0.0.1");
  await once(server, "listening");
  const query = new URLSearchParams(
    ["scene", "beside", "delay", "loss", "seed", "bytes"].flatMap((name) =>
      given[name] === undefined ? [] : [[name, String(given[name])] as [string, string]],
    ),
  );
  const { port } = server.address() as AddressInfo;
  terminal.print(`http://127.0.0.1:${port}/${query.size > 0 ? `?${query}` : ""}`);
  await once(signal, "abort");
  server.closeAllConnections();
  server.close();
  return "ok";
}
