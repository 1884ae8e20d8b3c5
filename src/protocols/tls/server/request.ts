import { fromUtf8 } from "../../../bytes/index.js";
import type { ServerConfig } from "../config.js";
import type { ServerEch } from "../ech/server.js";
import { refuse } from "../failure.js";
import { ext } from "../messages/extensions.js";
import type { ClientHello } from "../messages/hello.js";
import { isAddress } from "../names.js";
import type { SchemeName } from "../parameters/schemes.js";
import { schemeById } from "../parameters/schemes.js";

const at = "ClientHello";

/** A pre-shared key's name, its age and the proof of having it. */
export interface OfferedIdentity {
  readonly identity: Uint8Array;
  readonly obfuscatedTicketAge: number;
  readonly binder: Uint8Array;
}

/** What a 1.3 ClientHello asks for, checked for everything that no later choice depends on (RFC 9846 §4.2.2, §9.2). */
export interface Request {
  readonly hello: ClientHello;
  /** The whole message; what binders cover ends `bindersSize` bytes before its end. */
  readonly bytes: Uint8Array;
  readonly bindersSize: number;
  readonly groups: readonly number[];
  readonly shares: ReadonlyMap<number, Uint8Array>;
  readonly schemes: readonly number[];
  readonly certificateSchemes: readonly number[];
  readonly psks: readonly OfferedIdentity[];
  readonly pskModes: readonly number[];
  readonly earlyData: boolean;
  readonly alpn: readonly string[];
  readonly serverName: string | undefined;
  readonly cookie: Uint8Array | undefined;
  /** Was it encrypted, and for whom? */
  readonly ech: ServerEch | undefined;
}

export function readRequest(hello: ClientHello, bytes: Uint8Array, config: ServerConfig): Omit<Request, "ech"> {
  const { extensions } = hello;
  extensions.checkPlaces(at);
  if (hello.legacyVersion !== config.dialect.version12) {
    refuse("wrong-legacy-version", at, "legacy_version is not that of 1.2");
  }
  if (hello.compressionMethods.length !== 1 || hello.compressionMethods[0] !== 0) {
    refuse("wrong-compression-method", at, "compression other than null is offered");
  }
  const groups = extensions.get(ext.supportedGroups);
  const keyShares = extensions.get(ext.keyShare);
  if ((groups === undefined) !== (keyShares === undefined)) {
    refuse("missing-extension", at, "supported_groups and key_share come together or not at all");
  }
  const modes = extensions.get(ext.pskKeyExchangeModes);
  const preSharedKey = extensions.get(ext.preSharedKey);
  if (preSharedKey !== undefined && modes === undefined) {
    refuse("missing-extension", at, "pre_shared_key without psk_key_exchange_modes");
  }
  if (preSharedKey !== undefined && extensions.items.at(-1)!.type !== ext.preSharedKey.type) {
    refuse("illegal-parameter", at, "pre_shared_key is not the last extension");
  }
  if (preSharedKey !== undefined && preSharedKey.identities.length !== preSharedKey.binders.length) {
    refuse("illegal-parameter", at, "not one binder for each pre-shared key");
  }
  const schemes = extensions.get(ext.signatureAlgorithms);
  if (preSharedKey === undefined && (schemes === undefined || groups === undefined)) {
    refuse("missing-extension", at, "signature_algorithms or supported_groups is missing");
  }
  const earlyData = extensions.get(ext.earlyData) !== undefined;
  if (earlyData && preSharedKey === undefined) refuse("illegal-parameter", at, "early_data without pre_shared_key");
  return {
    hello,
    bytes,
    bindersSize: preSharedKey?.binders.reduce((size, each) => size + 1 + each.length, 2) ?? 0,
    groups: groups ?? [],
    shares: readShares(groups ?? [], keyShares ?? []),
    schemes: schemes ?? [],
    certificateSchemes: extensions.get(ext.signatureAlgorithmsCert) ?? schemes ?? [],
    psks: preSharedKey?.identities.map((each, i) => ({ ...each, binder: preSharedKey.binders[i]! })) ?? [],
    pskModes: modes ?? [],
    earlyData,
    alpn: extensions.get(ext.alpn)?.map((name) => fromUtf8(name) ?? "") ?? [],
    serverName: readServerName(hello),
    cookie: extensions.get(ext.cookie),
  };
}

/** §4.3.8: each share of a group that is offered, none twice. */
function readShares(
  groups: readonly number[],
  entries: readonly { readonly group: number; readonly key: Uint8Array }[],
): Map<number, Uint8Array> {
  const shares = new Map<number, Uint8Array>();
  for (const { group, key } of entries) {
    if (shares.has(group)) refuse("illegal-parameter", at, `two shares of group ${group}`);
    if (!groups.includes(group)) refuse("illegal-parameter", at, `a share of group ${group}, which is not offered`);
    shares.set(group, key);
  }
  return shares;
}

/** RFC 6066 §3: one host name, which is not an address. */
export function readServerName(hello: ClientHello): string | undefined {
  const names = hello.extensions.get(ext.serverName)?.filter(({ type }) => type === 0) ?? [];
  if (names.length > 1) refuse("illegal-parameter", at, "two names of one type in server_name");
  const name = names[0] && fromUtf8(names[0].name);
  if (names.length === 0) return undefined;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly those are refused
  if (name === undefined || isAddress(name) || /[\u0000-\u0020]/.test(name)) {
    refuse("illegal-parameter", at, "server_name is no host name");
  }
  return name;
}

export const schemeNames = (ids: readonly number[]): SchemeName[] =>
  ids.flatMap((id) => schemeById.get(id)?.name ?? []);
