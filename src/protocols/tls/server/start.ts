import type { ServerConfig } from "../config.js";
import { Handshake } from "../handshake/handshake.js";
import { Transcript } from "../handshake/transcript.js";
import { ExpectClientHello } from "./client-hello.js";

/**
 * A server's handshake: it waits for a ClientHello. `first` is the number of that message: 1 if a stateless
 * HelloVerifyRequest went before (RFC 6347 §4.2.1).
 */
export const serverHandshake = (config: ServerConfig, first: 0 | 1 = 0): Handshake<ServerConfig> =>
  new Handshake(config, (cx) => {
    cx.transcript = new Transcript(first);
    return new ExpectClientHello();
  });
