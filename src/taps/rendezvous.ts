import { deferred } from "../contract/deferred.js";
import type { Alarm } from "../contract/index.js";
import type { Connection } from "./connection.js";
import type { LocalEndpoint, RemoteEndpoint } from "./endpoint.js";
import type { ActionOptions } from "./events.js";
import { EstablishmentError } from "./failure.js";
import type { Listener } from "./listener.js";
import type { Preconnection, PreconnectionInit } from "./preconnection.js";
import type { SecurityMode } from "./security.js";
import type { TransportServices } from "./system.js";

/** What Rendezvous brings (RFC 9622 §7.3); a listener only where an any-source group is met (§6.1.1). */
export interface Rendezvous<Mode extends SecurityMode = SecurityMode> {
  readonly connection: Connection<Mode>;
  readonly listener?: Listener<Mode>;
}

export interface RendezvousRequest<Mode extends SecurityMode> {
  readonly system: TransportServices;
  readonly local: LocalEndpoint;
  readonly remote: RemoteEndpoint;
  readonly again: (change: Partial<PreconnectionInit<Mode>>) => Preconnection<Mode>;
  readonly options: ActionOptions;
}

/** From a failed attempt to the next: the peer may not be listening yet. */
const retryMs = 250;
/** How long the way that is not preferred waits for the one that is. */
const graceMs = 1_000;

/**
 * Listens and connects at once, over a stack with connections. Both ends may reach each other at the same time, and must
 * then keep the same Connection: the one that the lesser endpoint (by address, then port) began. The other is kept only
 * if that one does not come within a grace period.
 */
export async function rendezvousStream<Mode extends SecurityMode>(
  request: RendezvousRequest<Mode>,
): Promise<Rendezvous<Mode>> {
  const { system, local, remote, again, options } = request;
  const { host } = system;
  const listener = await again({}).listen();
  const outcome = deferred<Connection<Mode>>();
  const ours = isLesser(local, remote);
  const spare: Connection<Mode>[] = [];
  const alarms: Alarm[] = [];
  let over = false;
  const end = () => {
    over = true;
    for (const alarm of alarms) alarm.cancel();
    void listener.stop();
  };
  const offer = (connection: Connection<Mode>, isOurs: boolean) => {
    if (over) return connection.abort("another way was faster");
    const win = () => {
      if (over) return;
      end();
      for (const each of spare) if (each !== connection) each.abort("another way was faster");
      outcome.resolve(connection);
    };
    if (isOurs === ours) return win();
    spare.push(connection);
    alarms.push(host.wakeAt(host.now() + graceMs, () => connection.state === "established" && win()));
  };
  listener.on("connectionReceived", (connection) => offer(connection as Connection<Mode>, false));
  // The listener has our port: we connect from another.
  const { port: _, ...from } = local;
  const dialling = again({ local: Object.keys(from).length > 0 ? [from] : [] });
  let attempt: Connection<Mode> | undefined;
  const dial = () => {
    if (over) return;
    attempt = dialling.initiate();
    attempt.ready.then(
      (connection) => offer(connection, true),
      () => over || alarms.push(host.wakeAt(host.now() + retryMs, dial)),
    );
  };
  dial();
  const giveUp = (error: EstablishmentError) => {
    if (over) return;
    end();
    attempt?.abort(error);
    for (const each of spare) each.abort(error);
    outcome.reject(error);
  };
  const { signal, timeout } = options;
  if (timeout !== undefined) {
    const message = `no rendezvous within ${timeout} ms`;
    alarms.push(
      host.wakeAt(host.now() + timeout, () => giveUp(new EstablishmentError({ reason: "timeout", message }))),
    );
  }
  const aborted = () =>
    giveUp(new EstablishmentError({ reason: "connection-aborted", message: "aborted locally", cause: signal?.reason }));
  if (signal?.aborted === true) aborted();
  signal?.addEventListener("abort", aborted, { once: true });
  try {
    return { connection: await outcome.promise };
  } finally {
    signal?.removeEventListener("abort", aborted);
  }
}

function isLesser(local: LocalEndpoint, remote: RemoteEndpoint): boolean {
  const [a, b] = [local.address ?? local.host ?? "", remote.address ?? remote.host ?? ""];
  return a === b ? (local.port ?? 0) < (remote.port ?? 0) : a < b;
}
