import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { CryptoProvider } from "../contract/index.js";
import { conditionsFrom } from "./conditions.js";
import { asJson } from "./json.js";
import { limits } from "./limits.js";
import { type Choice, page, refusal } from "./page.js";
import { play } from "./play.js";
import type { Recording } from "./recording.js";
import { type Scene, sceneNamed, scenes } from "./scenes.js";

/** A page of a browser elsewhere may not look in here under a name of its own (DNS rebinding). */
const ownNames = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;

const headers = {
  "cache-control": "no-store",
  "content-security-policy":
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
} as const;

/** The explorer as a web server for the person at this machine: everything is read from the address, nothing is kept. */
export function explorerServer(crypto: CryptoProvider): Server {
  const turns = new Turns();
  return createServer((request, response) => {
    answer(request, response, turns, crypto).catch((error: unknown) => {
      if (!response.headersSent) send(response, 500, html, refusal(error instanceof Error ? error.message : "failed"));
      else response.destroy();
    });
  });
}

const html = "text/html; charset=utf-8";

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  turns: Turns,
  crypto: CryptoProvider,
): Promise<void> {
  if (!ownNames.test(request.headers.host ?? "")) return send(response, 421, html, refusal("not by this name"));
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("allow", "GET, HEAD");
    return send(response, 405, html, refusal("GET alone"));
  }
  const url = new URL(request.url ?? "/", "http://localhost");
  const row = Object.hasOwn(routes, url.pathname) ? routes[url.pathname] : undefined;
  if (row === undefined) return send(response, 404, html, refusal("there is no such page"));
  let choice: Choice;
  try {
    choice = choiceFrom((name) => url.searchParams.get(name) ?? undefined);
  } catch (error) {
    return send(response, 400, html, refusal((error as RangeError).message));
  }
  const wanted = [choice.scene, ...(row.both && choice.beside ? [choice.beside] : [])];
  const recordings = await turns.take(async () => {
    const played: Recording[] = [];
    for (const scene of wanted) played.push(await play(scene, choice.conditions, crypto));
    return played;
  });
  if (recordings === undefined) return send(response, 503, html, refusal("too many at once"));
  send(response, 200, row.type, row.body(choice, recordings));
}

interface Route {
  readonly type: string;
  /** Does it show what stands beside the scene too? */
  readonly both: boolean;
  body(choice: Choice, recordings: readonly Recording[]): string | Uint8Array;
}

const routes: Readonly<Record<string, Route>> = {
  "/": { type: html, both: true, body: (choice, recordings) => page(choice, recordings, true) },
  "/recording.json": {
    type: "application/json",
    both: false,
    body: (_, [recording]) => `${JSON.stringify(asJson(recording!))}\n`,
  },
  "/capture.pcapng": {
    type: "application/vnd.tcpdump.pcap",
    both: false,
    body: (_, [recording]) => recording!.capture,
  },
};

function send(response: ServerResponse, status: number, type: string, body: string | Uint8Array): void {
  response.writeHead(status, { ...headers, "content-type": type }).end(body);
}

/** What was asked for by name. Throws a RangeError that says what is wrong. */
export function choiceFrom(given: (name: string) => string | undefined): Choice {
  const named = (name: string): Scene | undefined => {
    const text = given(name);
    if (text === undefined || text === "") return undefined;
    const scene = sceneNamed(text);
    if (scene === undefined) throw new RangeError(`${name} is one of ${scenes.map((each) => each.name).join(", ")}`);
    return scene;
  };
  return { scene: named("scene") ?? scenes[0]!, beside: named("beside"), conditions: conditionsFrom(given) };
}

/** One run after another; who would wait too long is sent away. */
class Turns {
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  async take<T>(run: () => Promise<T>): Promise<T | undefined> {
    if (this.#waiting >= limits.waitingMax) return undefined;
    this.#waiting++;
    const turn = this.#last.then(run).finally(() => this.#waiting--);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}
