import { Duplex } from "node:stream";
import { Failure } from "../contract/index.js";
import type { Connection } from "../taps/index.js";

/** Opens the Connection of a socket whose `connect` is called by a library. */
export type OpenConnection = (
  to: { readonly port: number; readonly host: string },
  signal: AbortSignal,
) => Promise<Connection>;

/** Bytes that a read hands to the library at once. */
const readMax = 256 * 1024;

/**
 * A Connection with the face of a `net.Socket`, for libraries that ask for one: a Duplex with `connect`, `setNoDelay`,
 * `setKeepAlive`, `setTimeout`, `ref`, `unref`, `address` and the addresses. Ending it ends our direction, destroying it
 * with an error aborts the Connection, and without one closes it. Errors have Node's codes, and the Failure as `cause`.
 */
export class ConnectionSocket extends Duplex {
  #connection: Connection | undefined;
  readonly #open: OpenConnection | undefined;
  readonly #abort = new AbortController();
  #isReading = false;
  #idleMs = 0;
  #idle: NodeJS.Timeout | undefined;
  #isRef = true;
  /** Written before there is a Connection; Node's streams give one write at a time. */
  #waiting: (() => void) | undefined;
  bytesRead = 0;
  bytesWritten = 0;

  /** With a Connection it is connected; with a function it waits for `connect`. */
  constructor(from: Connection | OpenConnection, options: { readonly allowHalfOpen?: boolean } = {}) {
    super({ allowHalfOpen: options.allowHalfOpen ?? false, autoDestroy: true });
    if (typeof from === "function") this.#open = from;
    else this.#use(from);
    this.on("end", () => this.allowHalfOpen || this.end());
  }

  get connection(): Connection | undefined {
    return this.#connection;
  }

  get connecting(): boolean {
    return this.#connection === undefined;
  }
  get pending(): boolean {
    return this.#connection === undefined;
  }
  get readyState(): "opening" | "open" | "closed" {
    return this.destroyed ? "closed" : this.#connection === undefined ? "opening" : "open";
  }
  get remoteAddress(): string | undefined {
    return this.#connection?.remoteEndpoint?.address;
  }
  get remotePort(): number | undefined {
    return this.#connection?.remoteEndpoint?.port;
  }
  get remoteFamily(): "IPv4" | "IPv6" | undefined {
    return familyOf(this.remoteAddress);
  }
  get localAddress(): string | undefined {
    return this.#connection?.localEndpoint?.address;
  }
  get localPort(): number | undefined {
    return this.#connection?.localEndpoint?.port;
  }
  /** As a `tls.TLSSocket` says it. */
  get encrypted(): boolean {
    return this.#connection?.security !== undefined;
  }
  get authorized(): boolean {
    return this.#connection?.security?.peer !== undefined;
  }
  get alpnProtocol(): string | false {
    return this.#connection?.security?.outcome?.alpn ?? false;
  }

  address(): { address?: string; family?: string; port?: number } {
    const { localAddress: address, localPort: port } = this;
    const family = familyOf(address);
    return address === undefined || port === undefined || family === undefined ? {} : { address, family, port };
  }

  /** As `net.Socket.connect`: `(port, host, listener)` or `({ port, host }, listener)`. */
  connect(...args: readonly unknown[]): this {
    const [first] = args;
    const listener = args.find((each) => typeof each === "function") as (() => void) | undefined;
    const to =
      typeof first === "object" && first !== null
        ? (first as { readonly port?: number | string; readonly host?: string })
        : { port: first as number | string, ...(typeof args[1] === "string" && { host: args[1] }) };
    if (listener !== undefined) this.once("connect", listener);
    if (this.#open === undefined || this.#connection !== undefined) {
      // It was connected when it was made: the library shall hear so after it has subscribed.
      process.nextTick(() => this.emit("connect"));
      return this;
    }
    this.#open({ port: Number(to.port), host: to.host ?? "localhost" }, this.#abort.signal).then(
      (connection) => {
        if (this.destroyed) return connection.abort();
        this.#use(connection);
        this.emit("connect");
        this.emit("ready");
        return undefined;
      },
      (error: unknown) => this.destroy(nodeError(error)),
    );
    return this;
  }

  /** Records are written whole already; kept so that libraries may call it. */
  setNoDelay(_noDelay?: boolean): this {
    return this;
  }

  setKeepAlive(enable = false, initialDelayMs = 0): this {
    this.#connection?.set("keepAliveTimeout", enable ? Math.max(1, initialDelayMs) : "disabled");
    return this;
  }

  /** Emits `timeout` after so many milliseconds without a byte; zero turns it off. */
  setTimeout(ms: number, listener?: () => void): this {
    this.#idleMs = ms;
    if (listener !== undefined) {
      if (ms === 0) this.off("timeout", listener);
      else this.once("timeout", listener);
    }
    this.#touch();
    return this;
  }

  ref(): this {
    this.#isRef = true;
    this.#connection?.ref();
    return this;
  }

  unref(): this {
    this.#isRef = false;
    this.#connection?.unref();
    return this;
  }

  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once("finish", () => this.destroy());
  }

  override _read(): void {
    this.#isReading = true;
    this.#drain();
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#whenConnected(() => this.#send([chunk], done));
  }

  override _writev(chunks: readonly { readonly chunk: Uint8Array }[], done: (error?: Error | null) => void): void {
    this.#whenConnected(() =>
      this.#send(
        chunks.map(({ chunk }) => chunk),
        done,
      ),
    );
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#whenConnected((connection) => {
      connection.send(new Uint8Array(), { final: true }).then(
        () => done(),
        // The peer may be gone already: then there is nobody to tell that we are done.
        () => done(),
      );
    });
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#idle);
    this.#abort.abort(error ?? undefined);
    const connection = this.#connection;
    connection?.watch({});
    if (error !== null || !this.writableFinished) connection?.abort(error ?? "the socket was destroyed");
    else connection?.close().catch(() => {});
    done(error);
  }

  #use(connection: Connection): void {
    this.#connection = connection;
    connection.watch({ readable: () => this.#drain() });
    connection.on("connectionError", (error) => this.destroy(nodeError(error)));
    if (!this.#isRef) connection.unref();
    this.#waiting?.();
    this.#waiting = undefined;
    this.#drain();
  }

  #whenConnected(act: (connection: Connection) => void): void {
    if (this.#connection !== undefined) act(this.#connection);
    else this.#waiting = () => act(this.#connection!);
  }

  #send(chunks: readonly Uint8Array[], done: (error?: Error | null) => void): void {
    const connection = this.#connection!;
    this.#touch();
    const sent = connection.batch(() => chunks.map((chunk) => connection.send(viewOf(chunk))));
    for (const chunk of chunks) this.bytesWritten += chunk.length;
    Promise.all(sent).then(
      () => done(),
      (error: unknown) => done(nodeError(error)),
    );
  }

  #drain(): void {
    const connection = this.#connection;
    while (this.#isReading && connection !== undefined && !this.destroyed) {
      const received = connection.tryReceive(readMax);
      if (received === undefined) {
        if (connection.get("canReceive") || this.readableEnded) return;
        this.#isReading = false;
        this.push(null);
        return;
      }
      this.#touch();
      const { data } = received;
      this.bytesRead += data.length;
      if (data.length > 0 && !this.push(Buffer.from(data.buffer, data.byteOffset, data.length)))
        this.#isReading = false;
      if (received.final) {
        this.#isReading = false;
        this.push(null);
        return;
      }
    }
  }

  #touch(): void {
    clearTimeout(this.#idle);
    if (this.#idleMs > 0) this.#idle = setTimeout(() => this.emit("timeout"), this.#idleMs).unref();
  }
}

/** A `net.Socket`-shaped Duplex over a Connection that is Ready. */
export function toSocket(connection: Connection, options?: { readonly allowHalfOpen?: boolean }): ConnectionSocket {
  return new ConnectionSocket(connection, options);
}

/** A plain view: some libraries hand over Buffers whose `slice` shares memory. */
const viewOf = (chunk: Uint8Array): Uint8Array => new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);

const familyOf = (address: string | undefined): "IPv4" | "IPv6" | undefined =>
  address === undefined ? undefined : address.includes(":") ? "IPv6" : "IPv4";

/** What Node calls the ways in which a network fails. */
const codes: Readonly<Record<string, string>> = {
  "refused-connection": "ECONNREFUSED",
  reset: "ECONNRESET",
  "timed-out": "ETIMEDOUT",
  timeout: "ETIMEDOUT",
  "no-route": "EHOSTUNREACH",
  "name-not-found": "ENOTFOUND",
  "name-server-failed": "EAI_AGAIN",
  "resolution-failed": "ENOTFOUND",
  "address-in-use": "EADDRINUSE",
  "not-permitted": "EACCES",
  "connection-aborted": "ECONNRESET",
};

/** A failure as Node's libraries expect it: an Error with a `code`. The Failure is its `cause`. */
export function nodeError(error: unknown): Error & { readonly code: string } {
  const chain: Failure[] = [];
  for (let each = error; each instanceof Failure; each = each.cause) chain.push(each);
  const code = chain.map(({ reason }) => codes[reason]).findLast((each) => each !== undefined) ?? "ERR_SEALPORT";
  const message = error instanceof Error ? error.message : String(error);
  return Object.assign(new Error(message, { cause: error }), { code });
}
