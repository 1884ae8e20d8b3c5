import { createSocket } from "node:dgram";
import type { Socket } from "node:net";
import { lookupsMax } from "./limits.js";
import { parseUdpHeader, writeUdpDatagram } from "./socks.js";
import type { Way } from "./way.js";

/**
 * UDP ASSOCIATE (RFC 1928 §7): a UDP port beside the client's connection, which ends with it. Only the client's own address
 * is heard, and of it only the port that spoke first.
 */
export async function associate(
  control: Socket,
  way: Way,
): Promise<{ readonly address: string; readonly port: number }> {
  const { localAddress = "127.0.0.1", remoteAddress } = control;
  const near = createSocket(localAddress.includes(":") ? "udp6" : "udp4");
  await new Promise<void>((resolve, reject) => {
    near.once("error", reject).bind(0, localAddress, () => {
      near.off("error", reject);
      resolve();
    });
  });
  near.on("error", () => {});
  const far = await way.datagram().catch((error: unknown) => {
    near.close();
    throw error;
  });
  far.on("error", () => {});
  let client: number | undefined;
  let lookups = 0;
  near.on("message", (bytes, { address, port }) => {
    if (address !== remoteAddress || port !== (client ?? port) || lookups >= lookupsMax) return;
    const target = parseUdpHeader(bytes);
    if (target === undefined) return;
    client = port;
    lookups++;
    far.send(bytes.subarray(target.size), target.value.port, target.value.host, () => lookups--);
  });
  far.on("message", (bytes, { address, port }) => {
    if (client !== undefined) near.send(writeUdpDatagram(address, port, bytes), client, remoteAddress);
  });
  const end = () => {
    near.close();
    far.close();
  };
  if (control.destroyed) end();
  else control.once("close", end);
  // Nothing more is said on the connection; reading it notices its end.
  control.on("end", () => control.destroy()).resume();
  return near.address();
}
