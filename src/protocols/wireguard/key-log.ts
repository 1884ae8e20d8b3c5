import { toBase64 } from "../../bytes/index.js";
import type { PeerKeys } from "./handshake.js";
import type { KeyPair } from "./noise.js";

/** Wireshark's WireGuard key log: what one handshake needs to be read. Each line goes out before the message does. */
export function keyLogLines(own: KeyPair, peer: PeerKeys, ephemeral: KeyPair): readonly string[] {
  const lines = [
    `LOCAL_STATIC_PRIVATE_KEY = ${toBase64(own.privateKey.expose())}`,
    `REMOTE_STATIC_PUBLIC_KEY = ${toBase64(peer.publicKey)}`,
    `LOCAL_EPHEMERAL_PRIVATE_KEY = ${toBase64(ephemeral.privateKey.expose())}`,
  ];
  if (peer.preSharedKey !== undefined) lines.push(`PRESHARED_KEY = ${toBase64(peer.preSharedKey.expose())}`);
  return lines;
}
