import { utf8 } from "../../bytes/index.js";
import { type Instant, Secret, type SocketAddress } from "../../contract/index.js";
import { type Ground, receiveStateless, type ServerConfig } from "../tls/index.js";
import { dtlsServerConfig } from "./config.js";
import type { DropReason } from "./failure.js";
import { Halves } from "./halves.js";
import { ConnectionIds } from "./handshake/connection-ids.js";
import { FragmentHeader, fragmentHeaderSize, writeFragmentHeader } from "./handshake/fragment.js";
import { IncomingMessages } from "./handshake/incoming.js";
import { limits } from "./limits.js";
import type { DtlsServerOptions } from "./options.js";
import { contentType, plainHeaderSize, readSequence, readU16, writePlainHeader } from "./record/content-type.js";

const clientHello = 1;

/** A handshake may begin: the ClientHello as one record, and the numbers to go on with. */
export interface Entrance {
  readonly record: Uint8Array;
  readonly firstMessage: 0 | 1;
  readonly firstRecord: number;
}

/**
 * Where strangers are met (SAV). Nothing is kept for one but, if its ClientHello comes in pieces, those pieces for two
 * seconds, in a table of fixed size (`halves.ts`): all else that there is to remember is in the cookie (RFC 6347 §4.2.1, RFC
 * 9147 §5.1). Half a hello cannot be answered: 1.3's cookie holds the hash of the whole.
 */
export class Threshold {
  readonly cookieKey: Secret;
  readonly #config: ServerConfig;
  readonly #drop: (reason: DropReason) => void;
  readonly #halves: Halves;
  readonly #answers: { readonly bytes: Uint8Array; readonly to: SocketAddress }[] = [];

  constructor(ground: Ground, options: DtlsServerOptions, drop: (reason: DropReason) => void) {
    this.cookieKey = options.cookieKey ?? new Secret(ground.entropy.fill(new Uint8Array(32)));
    // Extensions are for the handshake that follows; this one asks and answers nothing.
    const { connectionIdSize: _, srtp: __, extensions: ___, ...rest } = options;
    this.#config = dtlsServerConfig(ground, { ...rest, cookieKey: this.cookieKey }, new ConnectionIds(), () => none);
    this.#drop = drop;
    this.#halves = new Halves(drop);
  }

  /** First ClientHellos in pieces that wait for the rest. */
  get halves(): number {
    return this.#halves.size;
  }

  /** A stranger's datagram: undefined if there is nothing more to do about it. */
  receive(bytes: Uint8Array, at: number, end: number, from: SocketAddress, now: Instant): Entrance | undefined {
    for (let next = at; next < end; ) {
      const content = next + plainHeaderSize;
      const behind = content > end ? end + 1 : content + readU16(bytes, content - 2);
      if (behind > end || bytes[next] !== contentType.handshake || bytes[next + 1] !== 0xfe) {
        this.#drop(behind > end ? "malformed-record" : "no-association");
        return undefined;
      }
      if (readU16(bytes, next + 3) !== 0) {
        this.#drop("no-association");
        return undefined;
      }
      if (!head.read(bytes, content, behind) || head.type !== clientHello || head.sequence > 1) {
        this.#drop("bad-hello");
        return undefined;
      }
      const entrance = this.#piece(bytes, content, readSequence(bytes, next + 5), from, now);
      if (entrance !== undefined) return entrance;
      next = behind;
    }
    return undefined;
  }

  get isPending(): boolean {
    return this.#answers.length > 0;
  }

  /** Writes the next answer; answers where it goes. */
  write(into: Uint8Array): { readonly size: number; readonly to: SocketAddress } | undefined {
    const answer = this.#answers.shift();
    if (answer === undefined) return undefined;
    into.set(answer.bytes);
    return { size: answer.bytes.length, to: answer.to };
  }

  #piece(bytes: Uint8Array, at: number, record: number, from: SocketAddress, now: Instant): Entrance | undefined {
    const { sequence, size } = head;
    const isWhole = head.length === size;
    if (size > limits.partialHelloSizeMax) {
      this.#drop("message-too-large");
      return undefined;
    }
    if (isWhole) {
      const message = new IncomingMessages(sequence);
      message.add(head, bytes, at, 0);
      return this.#hello(message.take()!.bytes, sequence === 0 ? 0 : 1, record, from, now);
    }
    if (!isWorthKeeping(bytes, at)) {
      this.#drop("bad-hello");
      return undefined;
    }
    const whole = this.#halves.add(bytes, at, from, now);
    return whole && this.#hello(whole, sequence === 0 ? 0 : 1, record, from, now);
  }

  #hello(
    message: Uint8Array,
    sequence: 0 | 1,
    record: number,
    from: SocketAddress,
    now: Instant,
  ): Entrance | undefined {
    const config = { ...this.#config, cookieContext: contextOf(from) };
    let reception: ReturnType<typeof receiveStateless>;
    try {
      reception = receiveStateless(config, message, now);
    } catch {
      // Whatever is wrong with it: who has not shown where it is gets no alert either.
      this.#drop("bad-hello");
      return undefined;
    }
    if (reception.kind === "proven") {
      return { record: asRecord(message, sequence, record), firstMessage: sequence, firstRecord: record };
    }
    const answer = asRecord(reception.message, sequence, record);
    if (this.#answers.length >= limits.answersWaitingMax || answer.length > limits.amplificationMax * message.length) {
      this.#drop("too-many-answers");
    } else this.#answers.push({ bytes: answer, to: { ...from } });
    return undefined;
  }
}

/**
 * Could a ClientHello have such a piece? Nobody cuts one into crumbs, and its first piece begins with its version: so who wants
 * memory here must send a fair part of what it is to hold.
 */
function isWorthKeeping(bytes: Uint8Array, at: number): boolean {
  const { offset, length, size } = head;
  const isLast = offset + length === size;
  if (!isLast && length * limits.partialHelloPiecesMax < size) return false;
  const body = at + fragmentHeaderSize;
  return offset > 0 || length < 2 || (bytes[body] === 0xfe && bytes[body + 1] === 0xfd);
}

/** What cookies are bound to. */
export const contextOf = ({ address, port, zone }: SocketAddress): Uint8Array =>
  utf8(`${address} ${port} ${zone ?? ""}`);

/** A whole message in a record of epoch 0; the number is the peer's record's, so that nothing has to be counted. */
function asRecord(message: Uint8Array, sequence: number, record: number): Uint8Array {
  const size = message.length - 4;
  const bytes = new Uint8Array(plainHeaderSize + fragmentHeaderSize + size);
  writePlainHeader(bytes, 0, contentType.handshake, 0, record, fragmentHeaderSize + size);
  writeFragmentHeader(bytes, plainHeaderSize, message[0]!, size, sequence, 0, size);
  bytes.set(message.subarray(4), plainHeaderSize + fragmentHeaderSize);
  return bytes;
}

const head = new FragmentHeader();
const none = new Uint8Array(0);
