import { Failure } from "../../contract/index.js";

/** undici's `Agent`, wherever it comes from. */
// biome-ignore lint/suspicious/noExplicitAny: undici's own options, which differ from version to version
export type DispatcherClass<D> = new (options: any) => D;

/** What `fetch` takes, but for the way there, which is the tunnel's. */
export type FetchInit = Omit<RequestInit, "dispatcher">;

/** The class of the dispatcher that the platform's own `fetch` uses, so that both are of one version. */
export function builtInAgent(): DispatcherClass<{ close(): Promise<void> }> {
  // The platform loads its fetch when any of its classes is touched, and then shows its dispatcher.
  void new Headers();
  // The number at the end of the symbol is that of undici's interface; the newest is the one that fetch uses.
  const symbols = Object.getOwnPropertySymbols(globalThis)
    .filter(({ description }) => description?.startsWith("undici.globalDispatcher."))
    .sort((a, b) => (a.description! < b.description! ? 1 : -1));
  for (const symbol of symbols) {
    const shown: unknown = Reflect.get(globalThis, symbol);
    if (typeof shown === "object" && shown !== null && shown.constructor.name === "Agent") {
      return shown.constructor as DispatcherClass<{ close(): Promise<void> }>;
    }
  }
  throw new Failure({
    fault: "misuse",
    reason: "unsupported",
    protocol: "adapters",
    message: "this process has replaced the dispatcher of fetch",
    hint: "import Agent and fetch from undici: fetch(url, { dispatcher: office.dispatcher(Agent) })",
  });
}
