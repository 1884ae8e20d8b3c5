import { nodeHost } from "sealport/adapters";
import { bind, MemoryZrtpCache, type ZrtpOptions, type ZrtpSession, zidSize } from "sealport/zrtp";

// Two phones call each other twice. In the first call their users compare the words; in the second the phones know each other.
const host = nodeHost();
const phone = (): ZrtpOptions => ({ zid: host.entropy.fill(new Uint8Array(zidSize)), cache: new MemoryZrtpCache() });
const [alice, bob] = [phone(), phone()];
const local = { address: "127.0.0.1", port: 0 };

async function call(comparing: boolean): Promise<void> {
  let hear = (_packet: Uint8Array): void => {};
  const heard = new Promise<Uint8Array>((resolve) => {
    hear = (packet) => resolve(packet.slice(12));
  });
  const atBob = await bind(host, { local }, bob, { datagrams: (packet) => hear(packet), closed: () => {} });
  const atAlice = await bind(host, { local, remote: atBob.local }, alice, { datagrams: () => {}, closed: () => {} });
  await Promise.all([atAlice.confirmed, atBob.confirmed]);
  const same = atAlice.outcome?.words?.text === atBob.outcome?.words?.text;
  console.log(`the words are the same: ${same}; compared before: ${atAlice.outcome?.verified}`);
  if (comparing) for (const each of [atAlice, atBob]) each.compared(same);
  atAlice.send(rtp("hello"));
  console.log(new TextDecoder().decode(await heard));
  await end(atAlice, atBob);
}

/** An RTP packet: version 2, payload type 96, the rest of its header zero, then what is said. */
function rtp(words: string): Uint8Array {
  return Uint8Array.of(0x80, 96, ...new Uint8Array(10), ...new TextEncoder().encode(words));
}

async function end(...sessions: readonly ZrtpSession[]): Promise<void> {
  for (const session of sessions) {
    await session.stored;
    session.close();
  }
}

await call(true);
await call(false);
