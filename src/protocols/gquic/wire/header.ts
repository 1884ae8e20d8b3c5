/** Bytes of a connection id: every client makes one, and no peer has another. */
export const cidSize = 8;
/** Bytes of a diversification nonce. */
export const nonceSize = 32;

/** Levels of protection: none yet (Q050: keys of the connection id), initial keys, forward-secure keys. */
export const Level = { clear: 0, initial: 1, forwardSecure: 2 } as const;
export type Level = (typeof Level)[keyof typeof Level];

/** Which of the two sides wrote a packet: their headers differ. */
export type Writer = "client" | "server";

/** What a packet is for, as far as its header says. */
export type PacketKind = "packet" | "version-negotiation" | "reset";

/** A header that was read; one object for all packets. Places are offsets into the datagram. */
export class HeaderView {
  kind: PacketKind = "packet";
  /** Absent (0) unless the header says it. */
  version = 0;
  /** It has a long header, or its public header has a version: what comes before forward-secure keys. */
  isLong = false;
  /** -1 where there is none. */
  cidAt = -1;
  nonceAt = -1;
  numberAt = 0;
  /** 0 while it is hidden. */
  numberSize = 0;
  payloadAt = 0;
  /** Where the packet ends; what follows is another, or nothing. */
  end = 0;
  /** The level that the header names, if it names one; -1 if keys must be tried. */
  level: Level | -1 = -1;
}

/** What a header is to say; one object for all packets of a connection. */
export class HeaderPlan {
  writer: Writer = "client";
  version = 0;
  level: Level = Level.clear;
  cid: Uint8Array = new Uint8Array(cidSize);
  /** Public headers: leave the connection id out, as the client asked by TCID. */
  omitsCid = false;
  /** Public headers: a client says the version until it has heard the server. */
  saysVersion = false;
  /** Q044, Q046: the first packet of a client is Initial, the others without keys are Handshake packets. */
  isFirst = false;
  /** A server's, in all packets under initial keys. */
  nonce: Uint8Array | undefined;
  numberSize: 1 | 2 | 4 = 2;
  /** Where `put` left what follows later. */
  numberAt = 0;
  payloadAt = 0;
  /** Q050: where the two bytes of the length are; -1 if there are none. */
  lengthAt = -1;
}
