import { type ProtocolStack, secure, TransportServices } from "../../src/taps/index.js";
import { quicStacks } from "../../src/taps/stacks/quic.js";
import { quicCode } from "../../src/taps/stacks/quic-transport.js";
import { tls } from "../../src/taps/stacks/tls.js";
import { FakeQuic } from "./fake-quic.js";
import { type Neighbours, type NeighboursOptions, neighbours, serverAddress, vouchedFor } from "./taps.js";

/** Two hosts whose QUIC is the fake one: what TAPS asks of sessions and makes of what they tell, without a packet. */
export interface FakeNeighbours extends Neighbours {
  readonly quic: FakeQuic;
}

export const vouched = vouchedFor("server.test");
export const remote = { address: serverAddress, port: 443 };
export const clientSecurity = secure({ allowed: ["QUIC"], alpn: ["test"], serverName: "server.test" });
export const serverSecurity = secure({ allowed: ["QUIC"], alpn: ["test"], identity: vouched.identity });

export function fakeNeighbours(options: NeighboursOptions = {}): FakeNeighbours {
  const quic = new FakeQuic();
  const row = (use: keyof typeof quicStacks): ProtocolStack => ({
    ...quicStacks[use],
    load: () => undefined,
    ...quicCode(quic, use),
  });
  const stacks = [row("streams"), row("messages"), tls];
  const both = neighbours({ roots: [vouched.root], ...options, stacks });
  return { ...both, quic, server: new TransportServices({ host: both.serverHost, stacks }) };
}
