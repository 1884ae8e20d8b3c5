import { Failure } from "../../contract/index.js";
import type { undiciConnector } from "../undici.js";

/** undici's `Agent`, wherever it comes from. */
// biome-ignore lint/suspicious/noExplicitAny: undici's own options, which differ from version to version
export type DispatcherClass<D> = new (options: any) => D;

/** What `fetch` takes, but for the way there, which is the tunnel's. */
export type FetchInit = Omit<RequestInit, "dispatcher">;

/** The connector, as undici's options name it. */
export type Connector = ReturnType<typeof undiciConnector>;

/** The class of the dispatcher that the platform's own `fetch` uses, so that both are of one version. */
export function builtInAgent(): DispatcherClass<{ close(): Promise<void> }> {
  // The platform loads its fetch when any of its classes is touched, and then shows its dispatcher.
  void new Headers();
  const shown: unknown = Reflect.get(globalThis, Symbol.for("undici.globalDispatcher.1"));
  if (typeof shown === "object" && shown !== null && shown.constructor.name === "Agent") {
    return shown.constructor as DispatcherClass<{ close(): Promise<void> }>;
  }
  throw new Failure({
    fault: "misuse",
    reason: "unsupported",
    protocol: "adapters",
    message: "this process has replaced the dispatcher of fetch",
    hint: "import Agent and fetch from undici: fetch(url, { dispatcher: office.dispatcher(Agent) })",
  });
}
