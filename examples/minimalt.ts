import { nodeHost } from "sealport/adapters";
import { connect, hostIdentity, hostSecretSize, listen } from "sealport/minimalt";

const host = nodeHost();
const identity = hostIdentity(host.crypto, host.entropy.fill(new Uint8Array(hostSecretSize)));

// Every connection of every tunnel is echoed.
const listener = await listen(host, { address: "127.0.0.1", port: 0 }, { identity }, () => ({
  stream: (stream) => ({
    bytes: (bytes) => void stream.write(bytes),
    ended: () => stream.finish(),
    drained: () => {},
    closed: () => {},
  }),
  closed: () => {},
}));

// Who has the server's record, from a directory or from the last time, sends with the first packet.
const { record } = listener;
const client = connect(
  host,
  listener.local,
  { serverKey: identity.publicKey, record },
  { stream: () => undefined, closed: () => {} },
);
await new Promise<void>((resolve) => {
  const stream = client.openStream({
    bytes: (bytes) => void process.stdout.write(bytes),
    ended: () => {},
    drained: () => {},
    closed: () => resolve(),
  });
  stream.write(new TextEncoder().encode("hello, at once\n"));
  stream.finish();
});
console.log(`round trips before it: ${client.outcome?.roundTrips}`);
client.close();
await listener.close();
