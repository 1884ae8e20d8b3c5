import type { Secret } from "../../contract/index.js";
import {
  initiationLayout,
  keySize,
  MessageType,
  putU32le,
  responseLayout,
  tagSize,
  timestampSize,
  u32le,
} from "./messages/layout.js";
import { type KeyPair, type Suite, SymmetricState, type TransportKeys } from "./noise.js";

const nothing = new Uint8Array(0);

/** What one side holds of another before any handshake. */
export interface PeerKeys {
  readonly publicKey: Uint8Array;
  readonly preSharedKey: Secret | undefined;
  /** What both static keys agree on, where it is kept: it is the same in every handshake. Undefined if the key is degenerate. */
  sharedWith?(suite: Suite, own: KeyPair): Secret | undefined;
}

/** Mixes in what both static keys agree on (ss). False if the peer's key is degenerate. */
function mixStatic(
  state: SymmetricState,
  suite: Suite,
  own: KeyPair,
  peer: Pick<PeerKeys, "publicKey" | "sharedWith">,
): boolean {
  if (peer.sharedWith === undefined) return state.mixAgreement(own.privateKey, peer.publicKey);
  const shared = peer.sharedWith(suite, own);
  if (shared !== undefined) state.mixShared(shared);
  return shared !== undefined;
}

/** An initiation that was sent and waits for its response. */
export class SentInitiation {
  readonly index: number;
  readonly message: Uint8Array;
  readonly ephemeral: KeyPair;
  readonly #state: SymmetricState;
  readonly #own: KeyPair;
  readonly #peer: PeerKeys;

  /** Undefined if the peer's key is degenerate. The message lacks its MACs. */
  static create(
    suite: Suite,
    own: KeyPair,
    peer: PeerKeys,
    ephemeral: KeyPair,
    index: number,
    timestamp: Uint8Array,
  ): SentInitiation | undefined {
    const { size, sender, ephemeral: ephemeralAt, static: staticAt, timestamp: timestampAt } = initiationLayout;
    const message = new Uint8Array(size);
    message[0] = MessageType.initiation;
    putU32le(message, sender, index);
    const state = new SymmetricState(suite, peer.publicKey);
    message.set(ephemeral.publicKey, ephemeralAt);
    state.mixEphemeral(ephemeral.publicKey);
    if (!state.mixAgreement(ephemeral.privateKey, peer.publicKey)) return undefined;
    message.set(state.seal(own.publicKey), staticAt);
    if (!mixStatic(state, suite, own, peer)) return undefined;
    message.set(state.seal(timestamp), timestampAt);
    return new SentInitiation(own, peer, ephemeral, index, message, state);
  }

  private constructor(
    own: KeyPair,
    peer: PeerKeys,
    ephemeral: KeyPair,
    index: number,
    message: Uint8Array,
    state: SymmetricState,
  ) {
    this.#own = own;
    this.#peer = peer;
    this.ephemeral = ephemeral;
    this.index = index;
    this.message = message;
    this.#state = state;
  }

  /** The keys, if this response is true; a false one leaves the initiation as it was. */
  accept(response: Uint8Array): TransportKeys | undefined {
    const { ephemeral: at, empty } = responseLayout;
    const theirs = response.subarray(at, at + keySize);
    const state = this.#state.clone();
    state.mixEphemeral(theirs);
    if (!state.mixAgreement(this.ephemeral.privateKey, theirs)) return undefined;
    if (!state.mixAgreement(this.#own.privateKey, theirs)) return undefined;
    state.mixPreSharedKey(this.#peer.preSharedKey);
    if (state.open(response.subarray(empty, empty + tagSize)) === undefined) {
      state.wipe();
      return undefined;
    }
    this.wipe();
    return state.split(true);
  }

  wipe(): void {
    this.#state.wipe();
    this.ephemeral.privateKey.wipe();
  }
}

/** An initiation that came and whose sender is known by its static key, not yet believed: it may be a replay. */
export class ReceivedInitiation {
  readonly sender: number;
  readonly staticKey: Uint8Array;
  readonly #ephemeral: Uint8Array;
  readonly #sealedTimestamp: Uint8Array;
  readonly #state: SymmetricState;

  /** @param find the peer of a static key, if it is known */
  static read(
    suite: Suite,
    own: KeyPair,
    message: Uint8Array,
    find: (publicKey: Uint8Array) => PeerKeys | undefined = () => undefined,
  ): ReceivedInitiation | undefined {
    const { ephemeral: at, static: staticAt, timestamp } = initiationLayout;
    const ephemeral = message.slice(at, at + keySize);
    const state = new SymmetricState(suite, own.publicKey);
    state.mixEphemeral(ephemeral);
    if (!state.mixAgreement(own.privateKey, ephemeral)) return undefined;
    const staticKey = state.open(message.subarray(staticAt, staticAt + keySize + tagSize));
    if (staticKey === undefined) return undefined;
    if (!mixStatic(state, suite, own, find(staticKey) ?? { publicKey: staticKey })) return undefined;
    const sealedTimestamp = message.slice(timestamp, timestamp + timestampSize + tagSize);
    const sender = u32le(message, initiationLayout.sender);
    return new ReceivedInitiation(sender, staticKey, ephemeral, sealedTimestamp, state);
  }

  private constructor(
    sender: number,
    staticKey: Uint8Array,
    ephemeral: Uint8Array,
    sealedTimestamp: Uint8Array,
    state: SymmetricState,
  ) {
    this.sender = sender;
    this.staticKey = staticKey;
    this.#ephemeral = ephemeral;
    this.#sealedTimestamp = sealedTimestamp;
    this.#state = state;
  }

  /** The timestamp, which proves that the sender holds the static key. Undefined if it does not. Once only. */
  timestamp(): Uint8Array | undefined {
    return this.#state.open(this.#sealedTimestamp);
  }

  /** The response, without its MACs, and the keys. Undefined if the sender's ephemeral key is degenerate. */
  respond(
    preSharedKey: Secret | undefined,
    ephemeral: KeyPair,
    index: number,
  ): { message: Uint8Array; keys: TransportKeys } | undefined {
    const { size, sender, receiver, ephemeral: at, empty } = responseLayout;
    const message = new Uint8Array(size);
    message[0] = MessageType.response;
    putU32le(message, sender, index);
    putU32le(message, receiver, this.sender);
    message.set(ephemeral.publicKey, at);
    const state = this.#state;
    state.mixEphemeral(ephemeral.publicKey);
    if (!state.mixAgreement(ephemeral.privateKey, this.#ephemeral)) return undefined;
    if (!state.mixAgreement(ephemeral.privateKey, this.staticKey)) return undefined;
    state.mixPreSharedKey(preSharedKey);
    message.set(state.seal(nothing), empty);
    ephemeral.privateKey.wipe();
    return { message, keys: state.split(false) };
  }

  wipe(): void {
    this.#state.wipe();
  }
}
