import type { ServerConfig } from "../config.js";
import { Handshake } from "../handshake/handshake.js";

export const serverHandshake = (config: ServerConfig): Handshake<ServerConfig> =>
  new Handshake(config, () => {
    throw new Error("soon");
  });
