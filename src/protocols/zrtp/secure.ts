import { utf8 } from "../../bytes/index.js";
import { type CryptoProvider, equalInConstantTime } from "../../contract/index.js";
import { cipherTypes, known } from "./algorithms.js";
import type { Exchange } from "./exchange.js";
import type { DropReason } from "./failure.js";
import { other } from "./keys.js";
import { decodeSealed, openRelay, type RelayedSas } from "./messages/confirm.js";
import { macSize, typeSize } from "./messages/frame.js";
import { decodeGoClear } from "./messages/short.js";
import { renderSas, type Sas } from "./sas.js";

// What may come once there are keys: RFC 6189 §4.7.2 and §7.3.

/** Why a GoClear is none; undefined if it is the peer's own. */
export function clearRequest(exchange: Exchange, message: Uint8Array): DropReason | undefined {
  const given = decodeGoClear(message);
  if (given === undefined) return "malformed";
  return equalInConstantTime(peerMac(exchange, utf8("GoClear".padEnd(typeSize))), given) ? undefined : "bad-clear-mac";
}

/** A relayed SAS; its words are undefined where the PBX left them out, or in a rendering that is not known. */
export function relayedSas(
  exchange: Exchange,
  crypto: CryptoProvider,
  message: Uint8Array,
): { readonly words: Sas | undefined; readonly flags: RelayedSas["flags"] } | DropReason {
  const sealed = decodeSealed(message);
  if (sealed === undefined) return "malformed";
  if (!equalInConstantTime(peerMac(exchange, sealed.sealed), sealed.mac)) return "bad-relay-mac";
  const { zrtp } = exchange.side(other(exchange.role!));
  const cipher = crypto.cipher(cipherTypes[exchange.choice!.cipher].cfb).decryptor(zrtp.expose());
  const relay = openRelay(sealed, cipher);
  cipher.destroy();
  if (relay === undefined) return "malformed";
  const type = known("sas", relay.type);
  const isShown = type !== undefined && relay.sashash.some((byte) => byte !== 0);
  return { words: isShown ? renderSas(type, relay.sashash) : undefined, flags: relay.flags };
}

function peerMac(exchange: Exchange, over: Uint8Array): Uint8Array {
  const keyed = exchange.hash!.hmac(exchange.side(other(exchange.role!)).mac.expose());
  const mac = keyed.compute(over).slice(0, macSize);
  keyed.destroy();
  return mac;
}
