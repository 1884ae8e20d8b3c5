import { lookup, Resolver } from "node:dns/promises";
import { isIP } from "node:net";
import { networkFailure, type ResolveOptions, type ServiceRecord } from "../../contract/index.js";
import { toFailure } from "./failures.js";

/** `system` asks getaddrinfo, and so /etc/hosts and whatever the system has; servers are asked by DNS alone. */
export type NameService = "system" | { readonly servers: readonly string[] };

/** Addresses of a name in the resolver's order. An address is its own answer. */
export async function resolveName(name: string, service: NameService, options: ResolveOptions): Promise<string[]> {
  const { family, signal } = options;
  if (isIP(name) !== 0) {
    if (family !== undefined && isIP(name) !== family) throw none(name, family);
    return [name];
  }
  signal?.throwIfAborted();
  const found = await (service === "system" ? bySystem(name, options) : byServers(name, service.servers, options));
  if (found.length === 0) throw none(name, family);
  return found;
}

async function bySystem(name: string, { family, signal }: ResolveOptions): Promise<string[]> {
  // getaddrinfo cannot be called off: its answer is dropped.
  const asked = lookup(name, { all: true, verbatim: true, family: family ?? 0 });
  try {
    const answers = await unlessAborted(asked, signal);
    return answers.map(({ address }) => address);
  } catch (error) {
    throw signal?.aborted ? error : toFailure(error, name);
  }
}

async function byServers(
  name: string,
  servers: readonly string[],
  { family, signal }: ResolveOptions,
): Promise<string[]> {
  const resolver = new Resolver();
  resolver.setServers(servers);
  const cancel = (): void => resolver.cancel();
  signal?.addEventListener("abort", cancel);
  try {
    // RFC 8305 §3 wants AAAA first.
    const answers = await Promise.allSettled([
      family === 4 ? [] : resolver.resolve6(name),
      family === 6 ? [] : resolver.resolve4(name),
    ]);
    signal?.throwIfAborted();
    const found = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
    const failed = answers.find((answer) => answer.status === "rejected");
    if (found.length === 0 && failed !== undefined) throw toFailure(failed.reason, name);
    return found;
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
}

/** SRV records of a name (RFC 2782), by DNS: no system has another way to ask. */
export async function resolveServiceName(
  name: string,
  service: NameService,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<readonly ServiceRecord[]> {
  signal?.throwIfAborted();
  const resolver = new Resolver();
  if (service !== "system") resolver.setServers(service.servers);
  const cancel = (): void => resolver.cancel();
  signal?.addEventListener("abort", cancel);
  try {
    const records = await resolver.resolveSrv(name);
    return records.map(({ priority, weight, name: target, port }) => ({ priority, weight, target, port }));
  } catch (error) {
    throw toFailure(error, name);
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

function none(name: string, family: 4 | 6 | undefined): Error {
  const kind = family === undefined ? "address" : `IPv${family} address`;
  return networkFailure("name-not-found", `${name} has no ${kind}`, { at: name });
}
