import { toBase64, utf8 } from "../../bytes/index.js";
import { printable } from "./client-messages.js";
import type { Credentials, OpenVpnClientConfig, OpenVpnTransport } from "./client-options.js";
import { canCipher, type DataCipher, dataCipher, defaultDataCiphers } from "./data/ciphers.js";
import { failure, type OpenVpnFailure } from "./failure.js";
import { type KeyExchange, newKeyExchange, Proto } from "./key-exchange.js";
import { tunMtuDefault } from "./limits.js";

/** What stands in for the user's password: a token of the server's, or the answer to a challenge. */
export interface Token {
  readonly user: string | undefined;
  readonly password: string;
  /** The answer to a challenge, good for one session's first keys: afterwards the user's own password counts. */
  readonly isOnce?: boolean;
}

const allOfProto = Object.values(Proto).reduce((all, bit) => all | bit, 0);

/** Key method 2 of a client, with who it is and what it knows (wire document §6.7). */
export function ownExchange(
  config: OpenVpnClientConfig,
  token: Token | undefined,
  transport: OpenVpnTransport,
  isIp6: boolean,
): KeyExchange {
  const { entropy, credentials, peerInfo = [], announce = allOfProto } = config;
  const ciphers = config.dataCiphers ?? defaultDataCiphers;
  const lines = [
    "IV_VER=sealport",
    "IV_TCPNL=1",
    `IV_MTU=${tunMtuDefault}`,
    "IV_NCP=2",
    `IV_CIPHERS=${ciphers.join(":")}`,
    `IV_PROTO=${announce & allOfProto}`,
    "IV_SSO=crtext",
    ...peerInfo,
  ];
  return newKeyExchange(entropy, "client", {
    options: optionsString(transport, isIp6, ciphers[0] ?? "none"),
    user: token?.user ?? credentials?.user,
    password: token?.password ?? (credentials && passwordText(credentials)),
    peerInfo: `${lines.join("\n")}\n`,
  });
}

/** The cipher that the server picked, or that is left when it picks none; it must be among ours. */
export function chosenCipher(config: OpenVpnClientConfig, pushed: string | undefined): DataCipher | OpenVpnFailure {
  const { crypto, dataCiphers: allowed = defaultDataCiphers, fallbackCipher } = config;
  const name = pushed ?? fallbackCipher;
  const cipher = name === undefined ? undefined : dataCipher(name);
  const isAllowed = [...allowed, fallbackCipher].some((each) => each?.toUpperCase() === cipher?.name);
  if (cipher !== undefined && isAllowed && canCipher(crypto, cipher)) return cipher;
  return failure("no-common-cipher", `the server wants ${printable(name ?? "no cipher that it names")}`, {
    at: "cipher",
    hint: `allowed are ${allowed.join(", ")}: data-ciphers, or data-ciphers-fallback for old servers`,
  });
}

/** The password as it is sent, with the answer to a static challenge if there is one. */
function passwordText({ password, response }: Credentials): string {
  const text = new TextDecoder().decode(password.expose());
  if (response === undefined) return text;
  return `SCRV1:${toBase64(utf8(text))}:${toBase64(response.expose())}`;
}

/** The options string (`--opt-verify`): a server compares it for people's sake. */
function optionsString(transport: OpenVpnTransport, isIp6: boolean, cipher: string): string {
  const proto = transport === "udp" ? (isIp6 ? "UDPv6" : "UDPv4") : isIp6 ? "TCPv6_CLIENT" : "TCPv4_CLIENT";
  const { keySize = 32 } = dataCipher(cipher) ?? {};
  const auth = cipher.endsWith("CBC") ? "SHA1" : "[null-digest]";
  const linkMtu = transport === "udp" ? 1549 : 1551;
  return [
    "V4",
    "dev-type tun",
    `link-mtu ${linkMtu}`,
    `tun-mtu ${tunMtuDefault}`,
    `proto ${proto}`,
    `cipher ${cipher}`,
    `auth ${auth}`,
    `keysize ${8 * keySize}`,
    "key-method 2",
    "tls-client",
  ].join(",");
}
