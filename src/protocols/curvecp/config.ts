import { parseAddress } from "../../bytes/index.js";
import { networkFailure, type SocketAddress } from "../../contract/index.js";
import { curvecpFailure } from "./failure.js";
import { keySize } from "./keys.js";
import { limits } from "./limits.js";
import { extensionSize } from "./messages/packets.js";
import { encodeServerName } from "./messages/server-name.js";
import type { CurveCpClientOptions, CurveCpOptions, CurveCpServerOptions } from "./options.js";
import { controllerNames } from "./stream/controllers.js";

/** Throws `bad-configuration` for options that make no sense. */
export function checkClientOptions(options: CurveCpClientOptions): void {
  checkOptions(options);
  checkSize("serverKey", options.serverKey, keySize);
  checkExtension("serverExtension", options.serverExtension);
  checkName("serverName", options.serverName ?? "");
  const addresses = 1 + (options.alternates?.length ?? 0);
  if (addresses > limits.addressesMax) bad("alternates", `a client tries ${limits.addressesMax} addresses at the most`);
}

export function checkServerOptions(options: CurveCpServerOptions): void {
  checkOptions(options);
  checkSize("identity", options.identity.publicKey, keySize);
  for (const name of options.serverNames ?? []) checkName("serverNames", name);
  if (Array.isArray(options.clients)) for (const key of options.clients) checkSize("clients", key, keySize);
  const { clientsMax = 1 } = options;
  if (!Number.isInteger(clientsMax) || clientsMax < 1 || clientsMax > limits.clientsMax) {
    bad("clientsMax", `a server has 1 … ${limits.clientsMax} clients`);
  }
}

/** Names are resolved before. */
export function checkAddress({ address, port }: SocketAddress): void {
  if (parseAddress(address) !== undefined && port >= 1 && port <= 65_535) return;
  const message = `${address}, port ${port}, is no address and port`;
  const cause = networkFailure("not-an-address", message);
  throw curvecpFailure("bad-configuration", "remote", message, { hint: "resolve names first", cause });
}

function checkOptions({ extension, congestionControl, receiveBuffer }: CurveCpOptions): void {
  checkExtension("extension", extension);
  if (congestionControl !== undefined && !controllerNames.includes(congestionControl)) {
    bad("congestionControl", `${congestionControl} is none of ${controllerNames.join(", ")}`);
  }
  const { receiveBufferMin, receiveBufferMax } = limits;
  const isBuffer = (size: number) => Number.isInteger(size) && size >= receiveBufferMin && size <= receiveBufferMax;
  if (receiveBuffer !== undefined && !isBuffer(receiveBuffer)) {
    bad("receiveBuffer", `a receive buffer has ${receiveBufferMin} … ${receiveBufferMax} bytes`);
  }
}

const checkExtension = (at: string, extension: Uint8Array | undefined): void =>
  checkSize(at, extension ?? noExtension, extensionSize);

function checkSize(at: string, bytes: Uint8Array, size: number): void {
  if (bytes.length !== size) bad(at, `it has ${size} bytes, not ${bytes.length}`);
}

function checkName(at: string, name: string): void {
  if (encodeServerName(name) === undefined) bad(at, `${name} is no DNS name`);
}

function bad(at: string, message: string): never {
  throw curvecpFailure("bad-configuration", at, message);
}

const noExtension = new Uint8Array(extensionSize);
