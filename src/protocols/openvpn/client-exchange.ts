import { toBase64, utf8 } from "../../bytes/index.js";
import type { Credentials, OpenVpnTransport } from "./client.js";
import { dataCipher } from "./data/ciphers.js";
import { tunMtuDefault } from "./limits.js";

/** The password as it is sent, with the answer to a static challenge if there is one. */
export function passwordText({ password, response }: Credentials): string {
  const text = new TextDecoder().decode(password.expose());
  if (response === undefined) return text;
  return `SCRV1:${toBase64(utf8(text))}:${toBase64(response.expose())}`;
}

/** The options string (`--opt-verify`): a server compares it for people's sake. */
export function optionsString(transport: OpenVpnTransport, isIp6: boolean, cipher: string): string {
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
