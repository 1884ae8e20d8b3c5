import type { ServerConfig } from "../config.js";
import { Handshake } from "../handshake/handshake.js";
import { ExpectClientHello } from "./client-hello.js";

/** A server's handshake: it waits for a ClientHello. */
export const serverHandshake = (config: ServerConfig): Handshake<ServerConfig> =>
  new Handshake(config, () => new ExpectClientHello());
