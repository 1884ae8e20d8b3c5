import { once } from "node:events";
import { connect, createServer, type TLSSocket } from "node:tls";
import { type Link, serverName, suite, type TlsImplementation } from "./implementation.js";

const only = { minVersion: "TLSv1.3", ciphers: suite, ecdhCurve: "X25519" } as const;

export const nodeTls: TlsImplementation = {
  name: `node:tls (OpenSSL ${process.versions.openssl})`,
  async serve({ chain, key }, accepted) {
    const server = createServer({ cert: chain, key, ...only }, (socket) => accepted(linkOf(socket)));
    server.on("tlsClientError", (error) => process.emitWarning(error));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (typeof address !== "object" || address === null) throw new Error("no port");
    return address.port;
  },
  async connect(port, { trust, resume }) {
    const session = Buffer.isBuffer(resume) ? { session: resume } : {};
    const socket = connect({ port, host: "127.0.0.1", servername: serverName, ca: trust, ...only, ...session });
    const link = linkOf(socket);
    await once(socket, "secureConnect");
    return link;
  },
};

function linkOf(socket: TLSSocket): Link {
  socket.setNoDelay(true);
  socket.on("error", () => socket.destroy());
  let ticket: Buffer | undefined;
  socket.on("session", (session) => {
    ticket = session;
  });
  return {
    get resumed() {
      return socket.isSessionReused();
    },
    write(bytes) {
      if (socket.write(bytes)) return undefined;
      return new Promise((drained) => socket.once("drain", drained));
    },
    receive: (call) => socket.on("data", call),
    async resumable() {
      if (ticket === undefined) await once(socket, "session");
      return ticket;
    },
    close: () => socket.destroy(),
  };
}
