import { parseAddress } from "../../bytes/index.js";
import { networkFailure, type SocketAddress } from "../../contract/index.js";
import { boxKeySize } from "../../crypto/index.js";
import { minimaltFailure } from "./failure.js";
import { suiteNames } from "./keys.js";
import { ephemeralLifetimeMinMs, limits } from "./limits.js";
import type { MinimaltClientOptions, MinimaltOptions, MinimaltServerOptions } from "./options.js";
import { controllerNames } from "./tunnel/controllers.js";
import { isName } from "./wire/rpc.js";

/** Throws `bad-configuration` for options that make no sense. */
export function checkClientOptions(options: MinimaltClientOptions): void {
  checkOptions(options);
  for (const at of ["serverKey", "serverBoxKey"] as const) checkKey(at, options[at]);
  for (const key of options.authorities ?? []) checkKey("authorities", key);
  checkName(options.serverName);
  checkBits("puzzleBitsMax", options.puzzleBitsMax);
  const { serverKey, authorities = [], suites } = options;
  if (serverKey === undefined && authorities.length === 0) {
    bad("serverKey", "a client needs its server's key, or those of authorities that vouch for it");
  }
  if (suites !== undefined && !suites.every((name) => suiteNames.includes(name))) {
    bad("suites", `suites are ${suiteNames.join(", ")}`);
  }
  if (options.directory !== undefined) {
    checkKey("directory", options.directory.key);
    checkKey("directory", options.directory.boxKey);
    checkAddress(options.directory.at);
  }
  const isFound = options.record ?? options.directory ?? options.serverBoxKey ?? options.cache;
  if (isFound === undefined) {
    const message = "a client needs the server's record, or who can be asked for it";
    bad("record", `${message}: a directory, the server by its box key, or a cache`);
  }
}

export function checkServerOptions(options: MinimaltServerOptions): void {
  checkOptions(options);
  checkName(options.serverName);
  checkBits("puzzleBits", options.puzzleBits);
  if (Array.isArray(options.users)) for (const key of options.users) checkKey("users", key);
  if (options.suite !== undefined && !suiteNames.includes(options.suite)) {
    bad("suite", `suites are ${suiteNames.join(", ")}`);
  }
  const { tunnelsMax = 1, ephemeralLifetimeMs = ephemeralLifetimeMinMs, publicAddress } = options;
  if (!Number.isInteger(tunnelsMax) || tunnelsMax < 1 || tunnelsMax > limits.tunnelsMax) {
    bad("tunnelsMax", `a server has 1 … ${limits.tunnelsMax} tunnels`);
  }
  if (!(ephemeralLifetimeMs >= ephemeralLifetimeMinMs)) {
    bad("ephemeralLifetimeMs", `an ephemeral key lives ${ephemeralLifetimeMinMs} ms at least`);
  }
  if (publicAddress !== undefined) checkAddress(publicAddress);
}

/** Names are resolved before. */
export function checkAddress({ address, port }: SocketAddress): void {
  if (parseAddress(address) !== undefined && port >= 1 && port <= 65_535) return;
  const message = `${address}, port ${port}, is no address and port`;
  const cause = networkFailure("not-an-address", message);
  throw minimaltFailure("bad-configuration", "remote", message, { hint: "resolve names first", cause });
}

function checkOptions({ importedKey, congestionControl, receiveBuffer }: MinimaltOptions): void {
  checkKey("importedKey", importedKey);
  if (congestionControl !== undefined && !controllerNames.includes(congestionControl)) {
    bad("congestionControl", `${congestionControl} is none of ${controllerNames.join(", ")}`);
  }
  const { receiveBufferMin, receiveBufferMax } = limits;
  const isBuffer = (size: number) => Number.isInteger(size) && size >= receiveBufferMin && size <= receiveBufferMax;
  if (receiveBuffer !== undefined && !isBuffer(receiveBuffer)) {
    bad("receiveBuffer", `a receive buffer has ${receiveBufferMin} … ${receiveBufferMax} bytes`);
  }
}

function checkKey(at: string, key: Uint8Array | undefined): void {
  if (key !== undefined && key.length !== boxKeySize) bad(at, `it has ${boxKeySize} bytes, not ${key.length}`);
}

function checkName(name: string | undefined): void {
  if (name !== undefined && !isName(name)) bad("serverName", "a name has at most 255 printable ASCII characters");
}

function checkBits(at: string, bits: number | undefined): void {
  if (bits === undefined || (Number.isInteger(bits) && bits >= 0 && bits <= limits.puzzleBitsMax)) return;
  bad(at, `a puzzle has 0 … ${limits.puzzleBitsMax} bits`);
}

function bad(at: string, message: string): never {
  throw minimaltFailure("bad-configuration", at, message);
}
