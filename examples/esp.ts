import { randomBytes } from "node:crypto";
import { Secret } from "sealport";
import { nodeHost } from "sealport/adapters";
import { type AssociationPair, Encryption, Integrity, openEsp, selectorOf } from "sealport/esp";

// Two ends of a tunnel, with keys that were made elsewhere. Here both are in one process, and "elsewhere" is next to them.
const host = nodeHost();
const loopback = { address: "127.0.0.1", port: 0 };
const inside = [Uint8Array.of(10, 70, 0, 1), Uint8Array.of(10, 70, 0, 2)].map((address) => ({ address, length: 32 }));
const algorithms = { encryption: Encryption.aesGcm16, keyBits: 256, integrity: Integrity.none, isExtended: true };

/** Keys of each direction, 32 bytes and a salt of 4, and what makes of them one end's pair of associations. */
function newPairs(generation: number, peers: readonly { readonly address: string; readonly port: number }[]) {
  const keys = [randomBytes(36), randomBytes(36)];
  const spis = [0x1000 + generation, 0x2000 + generation];
  const pairOf = (own: 0 | 1): AssociationPair => {
    const other = own === 0 ? 1 : 0;
    return {
      spiIn: spis[own]!,
      spiOut: spis[other]!,
      algorithms,
      keysIn: { encryption: Secret.copy(keys[other]!), integrity: undefined },
      keysOut: { encryption: Secret.copy(keys[own]!), integrity: undefined },
      mode: "tunnel",
      local: [selectorOf(inside[own]!)],
      remote: [selectorOf(inside[other]!)],
      encapsulation: "udp",
      peer: peers[other]!,
      lifetime: { soft: { packets: 10 }, hard: { packets: 100 } },
      ...(generation > 0 && { replaces: spis[own]! - 1 }),
    };
  };
  return [pairOf(0), pairOf(1)];
}

const [paris, rome] = await Promise.all(
  inside.map((address) =>
    openEsp(host, {
      local: loopback,
      addresses: [address],
      pairs: [],
      mtu: 1_400,
      on: (event) => {
        if (event.kind === "expiring" && event.spiIn === 0x1000) renew();
      },
    }),
  ),
);

let generation = 0;
function give(): void {
  const [atParis, atRome] = newPairs(generation++, [paris!.local, rome!.local]);
  // Rome first: by the time that Paris sends by a pair, Rome has it.
  rome!.handle({ kind: "install", pair: atRome! });
  paris!.handle({ kind: "install", pair: atParis! });
}

/** The soft limit was reached. Nothing is renewed of itself: who gave the keys gives the next ones. */
function renew(): void {
  give();
  for (const [end, spiIn] of [[paris!, 0x1000] as const, [rome!, 0x2000] as const]) {
    end.handle({ kind: "remove", spiIn, gently: true });
  }
}

give();
for (let i = 0; i < 15; i++) await paris!.ping("10.70.0.2", { timeoutMs: 5_000 });
const now = paris!.pairs().find(({ sends }) => sends)!;
console.log(`15 answers; the last packets went by SPI ${now.spiOut.toString(16)}`);
console.log(`${now.packetsSent} by the second keys, ${paris!.status().drops["bad-tag"]} refused`);
for (const end of [paris!, rome!]) end.close();
