import { Secret } from "sealport";
import { nodeHost } from "sealport/adapters";
import { bindIke, ikeId, ikeProposal, selector } from "sealport/ikev2";

// Two gateways agree on keys for the traffic between their networks; an ESP would take the keys.
const host = nodeHost();
const psk = { kind: "psk", secret: Secret.copy(new TextEncoder().encode("known to both")) } as const;
const [paris, rome] = [ikeId("paris.example"), ikeId("rome.example")];
const networks = { paris: [selector("10.1.0.0/16")], rome: [selector("10.2.0.0/16")] };
const common = { name: "gateway", local: psk, remoteAuthentication: psk };
// X25519, and ML-KEM behind it, so that who records today cannot read it later.
const proposals = [ikeProposal("aes256gcm16-prfsha384-x25519-ke1_mlkem768")];
const local = [{ address: "127.0.0.1", port: 0 }];

using atRome = await bindIke(host, {
  local,
  connections: [
    {
      ...common,
      localId: rome,
      remoteId: paris,
      proposals,
      children: [{ name: "lan", local: networks.rome, remote: networks.paris }],
    },
  ],
});

let hear = (_bytes: number): void => {};
const keyed = new Promise<number>((resolve) => {
  hear = resolve;
});
using atParis = await bindIke(host, {
  local,
  connections: [
    {
      ...common,
      remote: atRome.ports[0]!.local,
      localId: paris,
      remoteId: rome,
      proposals,
      children: [{ name: "lan", local: networks.paris, remote: networks.rome }],
    },
  ],
  on: (event) => {
    if (event.kind === "child") hear(event.pair.keysOut.encryption.size);
  },
});

const session = await atParis.connect("gateway");
const { encryption, group, additional } = session.established.algorithms;
console.log(`encryption ${encryption}, key exchanges ${[group, ...additional].join(" and ")}`);
console.log(`a child with keys of ${await keyed} bytes`);
