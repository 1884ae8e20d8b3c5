import type { PortListener } from "../../src/contract/index.js";
import type { World } from "../../src/hosts/simulator/index.js";
import {
  connect,
  listen,
  type TcpcryptClientOptions,
  type TcpcryptOptions,
  type TcpcryptOutcome,
  type TcpcryptSession,
  type TcpcryptSink,
} from "../../src/protocols/tcpcrypt/index.js";
import { addresses, type EnoWorld } from "./eno-world.js";

export const port = 7_000;

/** Byte `at` of every test's stream. */
export const pattern = (size: number, from = 0): Uint8Array =>
  Uint8Array.from({ length: size }, (_, i) => (Math.imul(from + i, 2_654_435_761) >>> 13) & 0xff);

/** What one end has heard. Answers what it hears if it echoes. */
export class Ear implements TcpcryptSink {
  session: TcpcryptSession | undefined;
  outcome: TcpcryptOutcome | undefined;
  received = 0;
  isRight = true;
  hasEnded = false;
  isOver = false;
  failure: unknown;
  readonly updates: string[] = [];
  readonly urgentAt: number[] = [];
  readonly #echoes: boolean;

  constructor(echoes = false) {
    this.#echoes = echoes;
  }

  confirmed(outcome: TcpcryptOutcome): void {
    this.outcome = outcome;
  }

  bytes(bytes: Uint8Array): void {
    const expected = pattern(bytes.length, this.received);
    for (let i = 0; i < bytes.length; i++) if (bytes[i] !== expected[i]) this.isRight = false;
    this.received += bytes.length;
    if (this.#echoes) this.session?.write(bytes.slice());
  }

  ended(): void {
    this.hasEnded = true;
    if (this.#echoes) this.session?.finish();
  }

  drained(): void {}

  keyUpdated(direction: "read" | "write", generation: number): void {
    this.updates.push(`${direction} ${generation}`);
  }

  urgent(offset: number): void {
    this.urgentAt.push(offset);
  }

  closed(failure?: unknown): void {
    this.isOver = true;
    this.failure = failure;
  }
}

export interface TcpcryptPair {
  readonly a: Ear;
  /** The passive end's, when it has been accepted. */
  readonly b: Ear;
  /** Of passive ends that were accepted after it. */
  readonly others: readonly Ear[];
  readonly session: TcpcryptSession;
  readonly listener: PortListener;
}

/** An active end on the first network and a passive one, which echoes, on the second. */
export async function tcpcryptPair(
  world: World,
  wire: EnoWorld,
  active: TcpcryptClientOptions = {},
  passive: TcpcryptOptions = {},
  at = port,
): Promise<TcpcryptPair> {
  const [a, b] = [new Ear(), new Ear(true)];
  const others: Ear[] = [];
  const listening = listen(
    wire.hosts[1],
    { address: addresses[1], port: at },
    passive,
    (session) => {
      const ear = b.session === undefined ? b : new Ear(true);
      ear.session = session;
      if (ear !== b) others.push(ear);
      return ear;
    },
    { network: wire.ends[1].network },
  );
  const listener = await world.finish(listening);
  a.session = connect(wire.hosts[0], { address: addresses[1], port: at }, active, a, {
    network: wire.ends[0].network,
  });
  return { a, b, others, session: a.session, listener };
}

/** Sends so much from the active end, has it echoed, and ends both directions. */
export async function exchange(world: World, pair: TcpcryptPair, size: number): Promise<void> {
  for (let at = 0; at < size; at += 10_000) pair.session.write(pattern(Math.min(10_000, size - at), at));
  pair.session.finish();
  await world.until(() => pair.a.isOver && pair.b.isOver);
}
