import type { DatagramPort, Host, SocketAddress } from "../contract/index.js";
import { FramedPackets, frameHeaderSize, putFrameHeader } from "../mechanisms/framed-packets.js";
import { UsageError } from "./exit.js";

// What the commands of srtp: and zrtp: have in common: packets behind their lengths (RFC 4571) on stdin and stdout.

/** How long nothing has come behind the end of the input before connect ends, in milliseconds. */
const quietMs = 500;

/** Sends what stdin has, until its end. */
export async function sendInput(end: { readonly session: DatagramPort; sent: number }): Promise<void> {
  const frames = new FramedPackets((packet) => {
    end.sent++;
    end.session.send(packet);
  });
  for await (const chunk of process.stdin) frames.push(new Uint8Array(chunk as Buffer));
}

/** Behind the end of the input: until nothing comes any more. */
export async function untilQuiet(end: { readonly received: number }, signal: AbortSignal): Promise<void> {
  for (let heard = -1; heard !== end.received && !signal.aborted; ) {
    heard = end.received;
    await new Promise((later) => setTimeout(later, quietMs));
  }
}

/** Of what was dropped, the reasons that there were. */
export const counted = (drops: Readonly<Record<string, number>> = {}): Readonly<Record<string, number>> =>
  Object.fromEntries(Object.entries(drops).filter(([, count]) => count > 0));

export function framed(packet: Uint8Array): Uint8Array {
  const frame = new Uint8Array(frameHeaderSize + packet.length);
  putFrameHeader(frame, 0, packet.length);
  frame.set(packet, frameHeaderSize);
  return frame;
}

/** The address that SCHEME://HOST:PORT names; * is every one of IPv4. */
export async function addressOf(
  host: Host,
  scheme: "srtp" | "zrtp",
  url: string,
  signal: AbortSignal,
): Promise<SocketAddress> {
  const [, given = "", name = "", digits = ""] =
    /^([a-z]+):\/\/(\[[0-9a-f:.]+\]|[^/?#:@[\]]+):(\d{1,5})\/?$/i.exec(url) ?? [];
  const port = Number(digits);
  if (given.toLowerCase() !== scheme || name === "" || port > 65_535) {
    throw new UsageError(`${url} is no ${scheme}:// URL`, `${scheme}://HOST:PORT`);
  }
  if (name === "*") return { address: "0.0.0.0", port };
  const [address] = await host.network.resolve(name.replace(/^\[|\]$/g, ""), { signal });
  return { address: address!, port };
}

export const anyPort = ({ address }: SocketAddress): SocketAddress => ({
  address: address.includes(":") ? "::" : "0.0.0.0",
  port: 0,
});

export const text = ({ address, port }: SocketAddress): string =>
  address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
