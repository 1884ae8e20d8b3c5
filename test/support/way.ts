import { ConnectionSocket, dialer, TunnelDatagramSocket, type Way } from "../../src/adapters/index.js";
import { nodeHost } from "../../src/hosts/node/index.js";
import { transportServices } from "../../src/index.js";

const dial = dialer(transportServices());

/** This machine's own network in place of a tunnel. */
export const plainWay: Way = {
  connect: ({ host, port, allowHalfOpen }) =>
    new ConnectionSocket(
      (to, signal) => dial({ ...to, isSecure: false }, { signal }),
      allowHalfOpen === undefined ? {} : { allowHalfOpen },
    ).connect({ host, port }),
  datagram: (options = {}) => TunnelDatagramSocket.open(nodeHost().network, options),
  listen: () => Promise.reject(new Error("nothing listens here")),
};
