import type { Duplex } from "node:stream";
import type { ConnectionSocket } from "../socket.js";
import type { DatagramSocketOptions, TunnelDatagramSocket } from "../tunnel/datagram-socket.js";
import type { TunnelServer } from "../tunnel/server.js";

/** Where forwards lead: an open tunnel, or whatever else can connect, send datagrams and listen. */
export interface Way {
  connect(to: { readonly host: string; readonly port: number; readonly allowHalfOpen?: boolean }): ConnectionSocket;
  datagram(options?: DatagramSocketOptions): Promise<TunnelDatagramSocket>;
  listen(port: number, handler: (socket: ConnectionSocket) => void): Promise<TunnelServer>;
}

/** Both ways until both have ended; an error on either side ends the other at once. */
export function relay(one: Duplex, other: Duplex): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.on("error", () => to.destroy());
    from.once("close", () => {
      if (!from.readableEnded) to.destroy();
    });
    from.pipe(to);
  }
}
