import type { Failure, SocketAddress, StreamPort } from "../../contract/index.js";
import { dscpOf } from "../capacity.js";
import type { CapacityProfile, ConnectionProperties } from "../properties.js";
import type { SendHow, Transport, TransportSink } from "./stack.js";

/** What every port and session has that is a Connection by itself. */
interface Port {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  abort(): void;
  ref(): void;
  unref(): void;
}

/** A port, or a session that offers one, as a Transport: what is the same for all of them. */
export abstract class PortTransport<Below extends Port> implements Transport {
  sink!: TransportSink;
  abstract readonly sendMax: number;
  abstract readonly receiveMax: number;
  abstract readonly singularMax: number | undefined;
  /** We have let go: what the port ends with is no failure any more. */
  protected isClosing = false;
  #port: Below | undefined;

  attach(port: Below): this {
    this.#port = port;
    return this;
  }

  protected get port(): Below {
    return this.#port!;
  }

  get local(): SocketAddress {
    return this.port.local;
  }

  get remote(): SocketAddress {
    return this.port.remote;
  }

  abstract send(bytes: Uint8Array, how: SendHow, sent: () => void): boolean;
  abstract finish(): void;
  abstract close(): void;
  abstract pause(): void;
  abstract resume(): void;
  abstract set<Name extends keyof ConnectionProperties>(name: Name, value: ConnectionProperties[Name]): boolean;

  abort(): void {
    this.port.abort();
  }

  ref(): void {
    this.port.ref();
  }

  unref(): void {
    this.port.unref();
  }

  softError(failure: Failure): void {
    this.sink.softError(failure);
  }

  closed(failure?: Failure): void {
    this.sink.closed(this.isClosing ? undefined : failure);
  }

  moved(from: SocketAddress, to: SocketAddress): void {
    this.sink.pathChange({ what: "handover", detail: { from, to } });
  }
}

/** A byte stream as a Transport. */
export abstract class ByteStreamTransport<Below extends StreamPort> extends PortTransport<Below> {
  readonly sendMax = Number.POSITIVE_INFINITY;
  readonly receiveMax = Number.POSITIVE_INFINITY;
  readonly singularMax = undefined;
  #hasEnded = false;

  send(bytes: Uint8Array, _how: SendHow, sent: () => void): boolean {
    return this.port.write(bytes, sent);
  }

  finish(): void {
    this.port.finish();
  }

  /** With both directions ended the stream goes by itself; a peer that has had its time is cut off. */
  close(): void {
    this.isClosing = true;
    if (!this.#hasEnded) this.port.abort();
  }

  pause(): void {
    this.port.pause();
  }

  resume(): void {
    this.port.resume();
  }

  set<Name extends keyof ConnectionProperties>(name: Name, value: ConnectionProperties[Name]): boolean {
    return setOnStream(this.port, name, value);
  }

  bytes(bytes: Uint8Array): void {
    this.sink.received(bytes);
  }

  ended(): void {
    this.#hasEnded = true;
    this.sink.ended();
  }

  drained(): void {
    this.sink.writable();
  }
}

/** Makes a Connection Property act on a stream port; false if the port cannot. */
export function setOnStream(
  port: StreamPort,
  name: keyof ConnectionProperties,
  value: ConnectionProperties[keyof ConnectionProperties],
): boolean {
  switch (name) {
    case "keepAliveTimeout":
      return port.set("keepAliveMs", value === "disabled" ? 0 : (value as number));
    case "connCapacityProfile":
      return port.set("dscp", dscpOf[value as CapacityProfile]);
    case "connTimeout":
    case "tcp.userTimeoutValue":
      // RFC 5482 §3.1: the local user timeout; ours alone, since no host lets us send the option.
      return typeof value === "number" && port.set("userTimeoutMs", value);
    default:
      return false;
  }
}
