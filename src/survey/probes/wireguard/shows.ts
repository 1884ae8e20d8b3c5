import { identityFromPem } from "../../../adapters/pem.js";
import { protocolStacks, secure, TransportServices } from "../../../taps/index.js";
import { type Show, see } from "../../probe.js";
import { newAuthority } from "../../stage/authority.js";
import { echoed, serverInside, type WireGuardStage } from "./stage.js";

const data = Uint8Array.from({ length: 20_000 }, (_, i) => i * 31);
const name = "demo.test";

/** Handshakes to show, each with its data moved: WireGuard, and what stands on it. */
export function shows(stage: WireGuardStage): readonly Show[] {
  return [
    {
      title: "Sealport ↔ Sealport",
      async run({ signal }) {
        const started = performance.now();
        const key = stage.newKey();
        using meeting = await stage.meet({ preSharedKeys: { client: key, server: key } });
        const bytes = await echoed(meeting.client, data, signal);
        return {
          version: "WireGuard 1",
          keyExchange: "X25519 + PSK",
          cipher: "ChaCha20-Poly1305",
          roundTrips: 1,
          bytes,
          authenticated: "both by static key",
          ms: performance.now() - started,
        };
      },
    },
    {
      title: "Sealport ↔ Sealport, TLS inside",
      async run({ signal }) {
        const { host } = stage;
        const authority = newAuthority(host);
        const { chain, key } = await authority.pem(name);
        const started = performance.now();
        using meeting = await stage.meet();
        // TLS over TCP over WireGuard: each end's services stand on the network inside its tunnel.
        const [here, there] = [meeting.client, meeting.server].map(
          ({ tunnel: { network } }) => new TransportServices({ host, network, stacks: protocolStacks }),
        );
        await using listener = await there!
          .preconnection({
            local: { port: 443 },
            security: secure({ allowed: ["TLS"], identity: identityFromPem({ chain, key }) }),
          })
          .listen();
        const accepted = listener.accept({ signal });
        await using client = await here!
          .preconnection({
            remote: { address: serverInside, port: 443 },
            security: secure({ allowed: ["TLS"], serverName: name, trust: [authority.certificate] }),
          })
          .connect({ signal });
        const server = await accepted;
        see(server !== undefined, "the connection at the server");
        await client.send(data, { final: true });
        let bytes = 0;
        for await (const message of server) bytes += message.data.length;
        see(bytes === data.length, "the bytes at the server");
        const { security } = client;
        const outcome = security?.protocol === "TLS" ? security.outcome : undefined;
        see(outcome, "TLS on the connection");
        const { version, group, suite } = outcome;
        server.abort();
        return {
          version: `TLS ${version}, WG`,
          keyExchange: group ?? "X25519",
          cipher: suite,
          roundTrips: 3,
          bytes,
          authenticated: "server by certificate, both by static key",
          ms: performance.now() - started,
        };
      },
    },
  ];
}
