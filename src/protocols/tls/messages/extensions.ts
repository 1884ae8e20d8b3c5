import {
  bytes,
  type Codec,
  DecodeError,
  decode,
  encode,
  type Of,
  type Reader,
  rest,
  struct,
  u8,
  u16,
  u32,
  vector,
  type Writer,
} from "../../../bytes/index.js";
import { refuse } from "../failure.js";
import { limits } from "../limits.js";

/** Messages that carry extensions, by the short names of RFC 9846 §4.3; SH12 is the ServerHello of 1.2. */
export type ExtensionMessage = "CH" | "SH" | "HRR" | "EE" | "CR" | "CT" | "NST" | "SH12";

/** An extension as it stands on the wire. */
export interface Extension {
  readonly type: number;
  readonly data: Uint8Array;
}

type Places = { readonly [M in ExtensionMessage]?: Codec<never> | Codec<unknown> };

/** A kind of extension: its number, its name, and in which messages it stands with what inside. */
export interface ExtensionKind<P extends Places = Places> {
  readonly type: number;
  readonly name: string;
  readonly in: P;
}

const kind = <P extends Places>(type: number, name: string, places: P): ExtensionKind<P> => ({
  type,
  name,
  in: places,
});

const empty: Codec<true> = { read: () => true, write: () => undefined };
const codes = vector(2, u16, { min: 2 });
const types = vector(1, u8, { min: 1 });
const serverName = struct({ type: u8, name: bytes(2, { min: 1 }) });
const protocols = vector(2, bytes(1, { min: 1 }), { min: 2 });
const shareEntry = struct({ group: u16, key: bytes(2, { min: 1 }) });
const statusRequest = struct({ type: u8, request: rest });
const statusResponse = struct({ type: u8, response: bytes(3, { min: 1 }) });
const pskIdentity = struct({ identity: bytes(2, { min: 1 }), obfuscatedTicketAge: u32 });
const offeredPsks = struct({
  identities: vector(2, pskIdentity, { min: 7 }),
  binders: vector(2, bytes(1, { min: 32 }), { min: 33 }),
});
const oidFilter = struct({ oid: bytes(1, { min: 1 }), values: bytes(2) });
const names = vector(2, bytes(2, { min: 1 }), { min: 3 });

/** Every extension that this room understands: RFC 9846 §4.3 Table 1 and, for 1.2, the RFCs of each. */
export const ext = {
  serverName: kind(0, "server_name", { CH: vector(2, serverName, { min: 1 }), EE: empty, SH12: empty }),
  maxFragmentLength: kind(1, "max_fragment_length", { CH: u8, EE: u8, SH12: u8 }),
  statusRequest: kind(5, "status_request", { CH: statusRequest, CR: statusRequest, CT: statusResponse, SH12: empty }),
  supportedGroups: kind(10, "supported_groups", { CH: codes, EE: codes, SH12: codes }),
  ecPointFormats: kind(11, "ec_point_formats", { CH: types, SH12: types }),
  signatureAlgorithms: kind(13, "signature_algorithms", { CH: codes, CR: codes }),
  alpn: kind(16, "application_layer_protocol_negotiation", { CH: protocols, EE: protocols, SH12: protocols }),
  signedCertificateTimestamp: kind(18, "signed_certificate_timestamp", { CH: empty, CR: empty, CT: rest, SH12: rest }),
  clientCertificateType: kind(19, "client_certificate_type", { CH: types, EE: u8, SH12: u8 }),
  serverCertificateType: kind(20, "server_certificate_type", { CH: types, EE: u8, SH12: u8 }),
  padding: kind(21, "padding", { CH: rest }),
  encryptThenMac: kind(22, "encrypt_then_mac", { CH: empty, SH12: empty }),
  extendedMainSecret: kind(23, "extended_main_secret", { CH: empty, SH12: empty }),
  compressCertificate: kind(27, "compress_certificate", {
    CH: vector(1, u16, { min: 2 }),
    CR: vector(1, u16, { min: 2 }),
  }),
  recordSizeLimit: kind(28, "record_size_limit", { CH: u16, EE: u16, SH12: u16 }),
  delegatedCredential: kind(34, "delegated_credential", { CH: codes, CR: codes, CT: rest }),
  sessionTicket: kind(35, "session_ticket", { CH: rest, SH12: empty }),
  preSharedKey: kind(41, "pre_shared_key", { CH: offeredPsks, SH: u16 }),
  earlyData: kind(42, "early_data", { CH: empty, EE: empty, NST: u32 }),
  supportedVersions: kind(43, "supported_versions", { CH: vector(1, u16, { min: 2 }), SH: u16, HRR: u16 }),
  cookie: kind(44, "cookie", { CH: bytes(2, { min: 1 }), HRR: bytes(2, { min: 1 }) }),
  pskKeyExchangeModes: kind(45, "psk_key_exchange_modes", { CH: types }),
  certificateAuthorities: kind(47, "certificate_authorities", { CH: names, CR: names }),
  oidFilters: kind(48, "oid_filters", { CR: vector(2, oidFilter) }),
  postHandshakeAuth: kind(49, "post_handshake_auth", { CH: empty }),
  signatureAlgorithmsCert: kind(50, "signature_algorithms_cert", { CH: codes, CR: codes }),
  keyShare: kind(51, "key_share", { CH: vector(2, shareEntry), SH: shareEntry, HRR: u16 }),
  ticketRequest: kind(58, "ticket_request", { CH: struct({ newSession: u8, resumption: u8 }), EE: u8 }),
  encryptedClientHello: kind(0xfe0d, "encrypted_client_hello", { CH: rest, EE: rest, HRR: rest }),
  renegotiationInfo: kind(0xff01, "renegotiation_info", { CH: bytes(1), SH12: bytes(1) }),
} as const;

const kinds: ReadonlyMap<number, ExtensionKind> = new Map(Object.values(ext).map((each) => [each.type, each]));

export const isKnownExtension = (type: number): boolean => kinds.has(type);
export const extensionName = (type: number): string => kinds.get(type)?.name ?? `extension ${type}`;

/** An extension to be sent in this message. */
export function extension<M extends ExtensionMessage, P extends { readonly [K in M]: Codec<never> | Codec<unknown> }>(
  message: M,
  { type, in: places }: ExtensionKind<P>,
  value: Of<P[M]>,
): Extension {
  const codec = places[message] as Codec<Of<P[M]>>;
  return { type, data: encode(codec, value) };
}

/** The extensions of one message; asking for one that may not stand in it does not compile. */
export class ExtensionBlock<M extends ExtensionMessage> {
  readonly message: M;
  readonly items: readonly Extension[];

  constructor(message: M, items: readonly Extension[]) {
    this.message = message;
    this.items = items;
  }

  /** Undefined if it is absent; throws DecodeError if its inside does not parse. */
  get<P extends { readonly [K in M]: Codec<never> | Codec<unknown> }>(wanted: ExtensionKind<P>): Of<P[M]> | undefined {
    const found = this.raw(wanted.type);
    return found && decode(wanted.in[this.message] as Codec<Of<P[M]>>, found);
  }

  has(wanted: ExtensionKind): boolean {
    return this.raw(wanted.type) !== undefined;
  }

  raw(type: number): Uint8Array | undefined {
    for (const item of this.items) if (item.type === type) return item.data;
    return undefined;
  }

  /** Answers to what was never asked: unsupported_extension. Known ones in the wrong place: illegal_parameter. */
  checkAnswers(offered: ReadonlySet<number>, at: string): void {
    for (const { type } of this.items) {
      if (!offered.has(type)) refuse("unsolicited-extension", at, `${extensionName(type)} was not offered`);
    }
    this.checkPlaces(at);
  }

  /** RFC 9846 §4.3: an extension that we know, in a message that it is not for. */
  checkPlaces(at: string): void {
    for (const { type } of this.items) {
      const known = kinds.get(type);
      if (known !== undefined && known.in[this.message] === undefined) {
        refuse("misplaced-extension", at, `${known.name} does not belong into ${at}`);
      }
    }
  }
}

/** Bytes that parse, and say what no block of extensions may say. */
export class ExtensionsError extends DecodeError {
  readonly reason: "message-too-large" | "duplicate-extension";
  readonly at: string;

  constructor(reason: ExtensionsError["reason"], at: string) {
    super(reason === "duplicate-extension" ? `${at} stands twice in one block` : "more extensions than anyone needs");
    this.reason = reason;
    this.at = at;
  }
}

const item = struct({ type: u16, data: bytes(2) });
const list = vector(2, item);

/** `Extension extensions<0..2^16-1>`; none of a type twice (RFC 9846 §4.3). */
export function extensions<M extends ExtensionMessage>(message: M): Codec<ExtensionBlock<M>> {
  return {
    read: (from: Reader) => {
      const items = list.read(from);
      if (items.length > limits.extensionsMax) throw new ExtensionsError("message-too-large", message);
      const seen = new Set<number>();
      for (const { type } of items) {
        if (seen.has(type)) throw new ExtensionsError("duplicate-extension", extensionName(type));
        seen.add(type);
      }
      return new ExtensionBlock(message, items);
    },
    write: (to: Writer, block) => list.write(to, block.items),
  };
}
