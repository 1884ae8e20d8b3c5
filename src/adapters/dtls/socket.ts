import { EventEmitter } from "node:events";
import type { Host, SocketAddress } from "../../contract/index.js";
import { nodeHost } from "../../hosts/node/index.js";
import {
  connect,
  type DtlsClientOptions,
  type DtlsListener,
  type DtlsServerOptions,
  type DtlsSession,
  listen,
} from "../../protocols/dtls/index.js";

/** Where a message came from, as node:dgram tells it. */
export interface DtlsRemoteInfo {
  readonly address: string;
  readonly family: "IPv4" | "IPv6";
  readonly port: number;
  readonly size: number;
}

export interface DtlsSocketOptions {
  /** Shakes hands with whoever a message is sent to. Default: none, so only those that came first are answered. */
  readonly client?: DtlsClientOptions;
  /** Takes in who comes, once `bind` has been called. */
  readonly server?: DtlsServerOptions;
  /** Default: this process's. */
  readonly host?: Host;
}

/** What a DTLS socket tells, beside node:dgram's own events. */
export interface DtlsSocketEvents {
  message: [bytes: Buffer, from: DtlsRemoteInfo];
  listening: [];
  close: [];
  error: [error: Error];
  /** A session stands: who it is with, and what was agreed on. */
  secure: [session: DtlsSession];
}

/**
 * Looks like a UDP socket of node:dgram, as libraries for CoAP, LwM2M and the like expect it, and speaks DTLS: what is sent to
 * an address goes through the session with it, which is made when it is first wanted. A message that cannot be delivered is
 * lost, as datagrams are; a handshake that fails is the callback's error, or the event `error`.
 */
export class DtlsSocket extends EventEmitter<DtlsSocketEvents> {
  readonly #options: DtlsSocketOptions;
  readonly #host: Host;
  readonly #sessions = new Map<string, DtlsSession>();
  #listener: DtlsListener | undefined;
  #isClosed = false;

  constructor(options: DtlsSocketOptions) {
    super();
    this.#options = options;
    this.#host = options.host ?? nodeHost();
  }

  /** Takes in clients at this port; `listening` follows. */
  bind(port = 0, address = "0.0.0.0", listening?: () => void): this {
    const { server } = this.#options;
    if (server === undefined) throw new TypeError("a DTLS socket needs `server` options to be bound");
    if (listening !== undefined) this.once("listening", listening);
    listen(this.#host, { address, port }, server, (session) => this.#sink(session)).then(
      (listener) => {
        this.#listener = listener;
        if (this.#isClosed) void listener.close();
        else this.emit("listening");
      },
      (error: Error) => this.emit("error", error),
    );
    return this;
  }

  /** Sends one message; the callback hears when it is on its way, or why it is not. */
  send(
    message: string | Uint8Array,
    port: number,
    address = "127.0.0.1",
    sent: (error: Error | null, bytes: number) => void = () => {},
  ): void {
    const bytes = typeof message === "string" ? Buffer.from(message) : message;
    const session = this.#sessions.get(keyOf({ address, port })) ?? this.#open({ address, port });
    if (session === undefined) {
      sent(new Error(`there is no session with ${address}, port ${port}, and no client options to make one`), 0);
      return;
    }
    session.confirmed.then(
      () => {
        if (bytes.length > session.messageMax) {
          sent(new RangeError(`a message has at most ${session.messageMax} bytes here, not ${bytes.length}`), 0);
          return;
        }
        session.send(bytes);
        sent(null, bytes.length);
      },
      (error: Error) => sent(error, 0),
    );
  }

  /** The port that was bound. */
  address(): { readonly address: string; readonly port: number; readonly family: "IPv4" | "IPv6" } {
    if (this.#listener === undefined) throw new Error("the socket is not bound");
    const { address, port } = this.#listener.local;
    return { address, port, family: familyOf(address) };
  }

  /** Ends every session with close_notify; `close` follows. */
  close(closed?: () => void): this {
    if (this.#isClosed) return this;
    this.#isClosed = true;
    if (closed !== undefined) this.once("close", closed);
    for (const session of this.#sessions.values()) session.close();
    const over = this.#listener?.close() ?? Promise.resolve();
    void over.then(() => this.emit("close"));
    return this;
  }

  #open(remote: SocketAddress): DtlsSession | undefined {
    const { client } = this.#options;
    if (client === undefined || this.#isClosed) return undefined;
    const sink = this.#sink(undefined, remote);
    const session = connect(this.#host, remote, client, sink);
    this.#sessions.set(keyOf(remote), session);
    return session;
  }

  #sink(accepted: DtlsSession | undefined, remote: SocketAddress = accepted!.remote) {
    let key = keyOf(remote);
    return {
      confirmed: (_: unknown, session: DtlsSession) => {
        this.#sessions.set(key, session);
        this.emit("secure", session);
      },
      moved: (_: SocketAddress, to: SocketAddress) => {
        const session = this.#sessions.get(key);
        this.#sessions.delete(key);
        key = keyOf(to);
        if (session !== undefined) this.#sessions.set(key, session);
      },
      datagrams: (bytes: Uint8Array, { address, port }: SocketAddress) => {
        this.emit("message", Buffer.from(bytes), { address, port, family: familyOf(address), size: bytes.length });
      },
      closed: (failure?: Error) => {
        this.#sessions.delete(key);
        if (failure !== undefined && accepted === undefined && this.listenerCount("error") > 0) {
          this.emit("error", failure);
        }
      },
    };
  }
}

const keyOf = ({ address, port }: SocketAddress): string => `${address} ${port}`;
const familyOf = (address: string): "IPv4" | "IPv6" => (address.includes(":") ? "IPv6" : "IPv4");
