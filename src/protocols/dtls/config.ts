import type { Trace } from "../../contract/index.js";
import {
  type ApplicationExtension,
  type ClientConfig,
  clientConfig,
  dialects,
  type Ground,
  type GroupName,
  type ServerConfig,
  type SuiteName,
  serverConfig,
  type TlsOptions,
} from "../tls/index.js";
import { dtlsFailure } from "./failure.js";
import {
  type ConnectionIds,
  connectionIdExtension,
  encodeConnectionId,
  routabilityExtension,
} from "./handshake/connection-ids.js";
import { heartbeatExtension, heartbeatMode, ourHeartbeatMode } from "./handshake/heartbeat-mode.js";
import { defaultMtu, handshakeTimeoutMs, limits, mtuMin, retransmitMs } from "./limits.js";
import type { DtlsClientOptions, DtlsOptions, DtlsServerOptions } from "./options.js";
import { answerSrtp, offerSrtp, useSrtp } from "./srtp.js";

/** What the association itself needs, every default in its place. */
export interface Transport {
  readonly mtu: number;
  /** Undefined: nothing is looked for. */
  readonly mtuMax: number | undefined;
  readonly retransmitMs: number;
}

export function transportOf(options: DtlsOptions): Transport {
  const { mtu = defaultMtu, mtuMax, connectionIdSize } = options;
  if (!(mtu >= mtuMin && mtu <= 65_507)) wrong("mtu", `it must be ${mtuMin} … 65507 bytes`);
  if (mtuMax !== undefined && !(mtuMax >= mtu && mtuMax <= 65_507)) wrong("mtuMax", "it must be `mtu` … 65507 bytes");
  if (
    connectionIdSize !== undefined &&
    !(connectionIdSize === 0 || (connectionIdSize >= 4 && connectionIdSize <= 32))
  ) {
    wrong("connectionIdSize", "it must be 0, or 4 … 32 bytes: shorter ones are too easily guessed");
  }
  return { mtu, mtuMax, retransmitMs: options.retransmitMs ?? retransmitMs };
}

/**
 * The configuration of one client's handshake. `ours` is the connection ID that it offers; what the peer answers is told by
 * the handshake's `extensions`.
 */
export function dtlsClientConfig(ground: Ground, options: DtlsClientOptions, ours: Uint8Array): ClientConfig {
  const extensions: ApplicationExtension[] = [...(options.extensions ?? [])];
  if (options.connectionIdSize !== undefined) {
    extensions.push({ type: connectionIdExtension, data: encodeConnectionId(ours), inServerHello: true });
    extensions.push({ type: routabilityExtension, data: new Uint8Array(0), inServerHello: true });
  }
  if (options.mtuMax !== undefined) extensions.push({ type: heartbeatExtension, data: ourHeartbeatMode });
  const { srtp } = options;
  if (srtp !== undefined) {
    extensions.push({ type: useSrtp, data: offerSrtp(srtp), required: srtp.required ?? false });
  }
  return clientConfig(
    { ...ground, dialect: dialects.dtls },
    { ...common(options), ...options, extensions, ...traced(options) },
  );
}

/** The configuration of one server's handshake; its own answers are put into `ids` while they are given. */
export function dtlsServerConfig(
  ground: Ground,
  options: DtlsServerOptions,
  ids: ConnectionIds,
  newId: () => Uint8Array,
): ServerConfig {
  const extensions: ApplicationExtension[] = [...(options.extensions ?? [])];
  if (options.connectionIdSize !== undefined) {
    extensions.push({
      type: connectionIdExtension,
      inServerHello: true,
      data: (theirs) => {
        if (theirs === undefined) return undefined;
        const ours = newId();
        ids.negotiate(theirs, ours);
        return encodeConnectionId(ours);
      },
    });
    extensions.push({
      type: routabilityExtension,
      inServerHello: true,
      data: () => (ids.isNegotiated ? new Uint8Array(0) : undefined),
    });
  }
  extensions.push({
    type: heartbeatExtension,
    data: (theirs) => {
      if (theirs === undefined) return undefined;
      heartbeatMode(theirs); // throws if there is no such
      return ourHeartbeatMode;
    },
  });
  const { srtp } = options;
  if (srtp !== undefined) {
    extensions.push({
      type: useSrtp,
      required: srtp.required ?? false,
      data: (theirs) => (theirs === undefined ? undefined : answerSrtp(srtp, theirs)),
    });
  }
  return serverConfig(
    { ...ground, dialect: dialects.dtls },
    { ...common(options), ...options, extensions, ...traced(options) },
  );
}

/** Where DTLS has another default than TLS. */
function common(options: TlsOptions): Pick<TlsOptions, "groups" | "handshakeTimeoutMs" | "suites"> {
  return {
    handshakeTimeoutMs,
    groups: defaultGroups,
    ...(options.psks === undefined ? {} : { suites: [...certificateSuites, ...pskSuites] }),
  };
}

/** x25519 first, so that the first ClientHello fits one datagram; a hybrid is there for who asks for it. */
const defaultGroups: readonly GroupName[] = ["x25519", "secp256r1", "X25519MLKEM768", "secp384r1", "secp521r1", "x448"];

const certificateSuites: readonly SuiteName[] = [
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
  "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
  "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
  "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
  "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
  "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
];

/** With pre-shared keys: forward secret first, and what small devices have last (RFC 7925 §4.2). */
const pskSuites: readonly SuiteName[] = [
  "TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256",
  "TLS_ECDHE_PSK_WITH_AES_256_GCM_SHA384",
  "TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256",
  "TLS_ECDHE_PSK_WITH_AES_128_CCM_SHA256",
  "TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256",
  "TLS_PSK_WITH_AES_128_GCM_SHA256",
  "TLS_PSK_WITH_AES_128_CCM",
  "TLS_PSK_WITH_AES_128_CCM_8",
];

/** The handshake's trace, in DTLS's name. */
function traced({ trace }: TlsOptions): { readonly trace?: Trace } {
  if (trace === undefined) return {};
  return { trace: (event) => trace({ ...event, protocol: "DTLS", name: event.name.replace(/^tls:/, "dtls:") }) };
}

export const associationsMaxOf = (options: DtlsServerOptions): number =>
  options.associationsMax ?? limits.associationsMax;

function wrong(option: string, message: string): never {
  throw dtlsFailure("misuse", option, `${option}: ${message}`);
}
