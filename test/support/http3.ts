import {
  type Answer,
  Http3Client,
  type Http3Handler,
  Http3ServerConnection,
  type Http3ServerOptions,
} from "../../src/adapters/http3/index.js";
import { type MemorySession, type PairOptions, sessionPair } from "./stream-pair.js";

export interface Http3Pair {
  readonly client: Http3Client;
  readonly server: Http3ServerConnection;
  readonly sessions: { readonly client: MemorySession; readonly server: MemorySession };
}

/** HTTP/3 between two ends in this process. */
export function http3Pair(
  handler: Http3Handler = () => ({ status: 204 }),
  options: PairOptions & { readonly server?: Http3ServerOptions; readonly clientFieldSectionMax?: number } = {},
): Http3Pair {
  const sessions = sessionPair(options);
  const client = new Http3Client({
    authority: "server.test",
    ...(options.clientFieldSectionMax !== undefined && { fieldSectionMax: options.clientFieldSectionMax }),
  });
  const server = new Http3ServerConnection(handler, options.server);
  sessions.client.sink = client;
  sessions.server.sink = server;
  client.attach(sessions.client);
  server.attach(sessions.server);
  return { client, server, sessions };
}

/** Gives back what it is sent. */
export const echoHandler: Http3Handler = ({ body, headers, method }): Answer => ({
  headers: { "x-method": method, "content-type": headers.get("content-type") ?? "none" },
  body,
});
