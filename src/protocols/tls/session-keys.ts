import { type CryptoProvider, Secret } from "../../contract/index.js";
import type { Context, Exporter, LoneExporter } from "./handshake/context.js";
import { serverEndPoint } from "./handshake/end-point.js";
import { type Labels, nextTrafficSecret, ticketPsk } from "./keys13.js";
import type { Suite13 } from "./parameters/suites13.js";

/** The secrets of a 1.3 session after its handshake: traffic, exporter, resumption. */
export class SessionKeys implements Exporter {
  readonly version = "1.3";
  readonly labels: Labels;
  readonly suite: Suite13;
  /** Current traffic secrets; each KeyUpdate moves one of them on. */
  client: Secret;
  server: Secret;
  /** Known when the client's Finished is. */
  resumption: Secret | undefined;
  /** The server's end-entity certificate, for tls-server-end-point (RFC 5929 §4.1). */
  serverCertificate: Uint8Array | undefined;
  readonly #crypto: CryptoProvider;
  readonly #exporter: Secret;

  constructor(
    crypto: CryptoProvider,
    labels: Labels,
    suite: Suite13,
    secrets: { readonly client: Secret; readonly server: Secret; readonly exporter: Secret },
  ) {
    this.#crypto = crypto;
    this.labels = labels;
    this.suite = suite;
    this.client = secrets.client;
    this.server = secrets.server;
    this.#exporter = secrets.exporter;
  }

  /** A context that is absent is an empty one here (RFC 9846 §7.5). */
  export(label: string, context: Uint8Array | undefined, length: number): Uint8Array {
    return this.labels.export(this.#exporter, label, context ?? new Uint8Array(0), length);
  }

  /** tls-unique does not exist in 1.3 (RFC 9846 Appendix F, RFC 9266 §4.1). */
  channelBinding(type: "tls-unique" | "tls-server-end-point"): Uint8Array | undefined {
    if (type === "tls-unique" || this.serverCertificate === undefined) return undefined;
    return serverEndPoint(this.#crypto, this.serverCertificate);
  }

  alone(): LoneExporter {
    const { labels } = this;
    const exporter = this.#exporter;
    for (const each of [this.client, this.server, this.resumption]) each?.wipe();
    return {
      export: (label, context, length) => labels.export(exporter, label, context ?? new Uint8Array(0), length),
      wipe: () => exporter.wipe(),
    };
  }

  /** Moves a direction's secret on (RFC 9846 §7.2) and answers the new one. */
  update(whose: "client" | "server"): Secret {
    const next = nextTrafficSecret(this.labels, this[whose]);
    this[whose].wipe();
    this[whose] = next;
    return next;
  }

  ticketSecret(nonce: Uint8Array): Secret {
    return ticketPsk(this.labels, this.resumption ?? new Secret(new Uint8Array(this.labels.hash.size)), nonce);
  }

  log(cx: Context): void {
    cx.logKey("CLIENT_TRAFFIC_SECRET_0", this.client);
    cx.logKey("SERVER_TRAFFIC_SECRET_0", this.server);
    cx.logKey("EXPORTER_SECRET", this.#exporter);
  }

  wipe(): void {
    this.client.wipe();
    this.server.wipe();
    this.resumption?.wipe();
    this.#exporter.wipe();
  }
}
