import type { Ecn, SocketAddress } from "../contract/index.js";
import { misuse } from "./failure.js";
import { type MessageProperties, messageProperties } from "./properties.js";

/** What the stack says of a received Message (RFC 9622 §9.3.3). */
export interface ReceiveMetadata {
  readonly local?: SocketAddress;
  readonly remote?: SocketAddress;
  /** UDP and UDP-Lite alone (§9.3.3.1). */
  readonly ecn?: Ecn;
  /** It came before the handshake was over and may have been replayed (§9.3.3.2). */
  readonly early?: boolean;
  /** A Message that its sender was sure of, where the stack has both kinds: not a datagram, but a stream. */
  readonly reliable?: boolean;
}

/**
 * Properties and metadata of a Message (RFC 9622 §9.1.1). To send: fill it, use it as often as you like; what is added
 * after a Send has no effect on that Send. Partial sends of one Message share one context.
 */
export class MessageContext {
  readonly #properties: Partial<Record<keyof MessageProperties, unknown>> = {};
  readonly #framers = new Map<string, Map<string, unknown>>();
  readonly metadata: ReceiveMetadata;

  constructor(properties: Readonly<Partial<MessageProperties>> = {}, metadata: ReceiveMetadata = {}) {
    this.metadata = metadata;
    for (const [name, value] of Object.entries(properties)) {
      if (name in messageProperties && value !== undefined) this.add(name as keyof MessageProperties, value as never);
    }
  }

  /** Throws `invalid-configuration` if the value is not of the property's type. */
  add<Name extends keyof MessageProperties>(name: Name, value: MessageProperties[Name]): this {
    const { kind } = messageProperties[name];
    const read = kind.read(value);
    if (read === undefined) throw misuse(`${name} takes ${kind.text}, not ${String(value)}`, name);
    this.#properties[name] = read;
    return this;
  }

  get<Name extends keyof MessageProperties>(name: Name): MessageProperties[Name] | undefined {
    return this.#properties[name] as MessageProperties[Name] | undefined;
  }

  /** Metadata for one framer, in a name space of its own (§9.1.2.2). */
  addFor(framer: string, key: string, value: unknown): this {
    const values = this.#framers.get(framer) ?? new Map<string, unknown>();
    this.#framers.set(framer, values.set(key, value));
    return this;
  }

  getFor(framer: string, key: string): unknown {
    return this.#framers.get(framer)?.get(key);
  }

  get remoteEndpoint(): SocketAddress | undefined {
    return this.metadata.remote;
  }

  get localEndpoint(): SocketAddress | undefined {
    return this.metadata.local;
  }

  /** The values as they are now, with the defaults for what was not added. */
  snapshot(defaults: MessageProperties): MessageProperties {
    return { ...defaults, ...(this.#properties as Partial<MessageProperties>) };
  }
}

/** What `receive` brings: a Message (`Received`) or, with `endOfMessage` false, a piece (`ReceivedPartial`). */
export interface Received {
  readonly data: Uint8Array;
  /** The same object for all pieces of one Message. */
  readonly context: MessageContext;
  readonly endOfMessage: boolean;
  /** Nothing follows on this Connection (§9.3.3.3). */
  readonly final: boolean;
}
