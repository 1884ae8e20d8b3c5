import type { Conditions } from "./conditions.js";

export type Side = "client" | "server";

/** What an end told of itself; never a secret. */
export interface RecordedEvent {
  /** Milliseconds since the scene began. */
  readonly at: number;
  readonly side: Side;
  /** `category:name`, as qlog writes it. */
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** A packet between the two, as somebody on the link would see it. */
export interface RecordedPacket {
  readonly at: number;
  readonly from: Side;
  /** When it came; undefined: it never did. */
  readonly arrival: number | undefined;
  /** What befell it on the way; undefined: nothing. */
  readonly what: string | undefined;
  /** What can be told from outside: `Initial, Handshake`, `record: handshake`, `TCP SYN`. */
  readonly label: string;
  /** What the sender says that it put in: `ClientHello`, `1-RTT 7: ack, stream`. */
  readonly messages: readonly string[];
  /** Bytes of the payload: a UDP datagram's, or a TCP segment's. */
  readonly bytes: Uint8Array;
}

/** One scene, played once. */
export interface Recording {
  readonly scene: string;
  readonly conditions: Conditions;
  readonly packets: readonly RecordedPacket[];
  readonly events: readonly RecordedEvent[];
  /** Milliseconds of virtual time until the session stood, and until all was over. */
  readonly standingMs: number | undefined;
  readonly elapsedMs: number;
  /** What was agreed on, in words; or what went wrong. */
  readonly outcome: readonly (readonly [what: string, value: string])[];
  readonly failure: string | undefined;
  /** The packets as a capture with its secrets, for Wireshark. */
  readonly capture: Uint8Array;
}
