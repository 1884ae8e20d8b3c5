import type { CryptoProvider } from "../../../contract/index.js";
import { HeaderMask } from "../../quic/protection/header-protection.js";
import { type DirectionKeys, diversify, type LevelKeys, obfuscationKeys, wipe } from "../protection/keys.js";
import { AeadProtection, NullProtection, type Protection } from "../protection/protection.js";
import { Level, nonceSize } from "../wire/header.js";
import type { Version } from "../wire/versions.js";

/** All that protects a connection's packets now, by level. */
export class Keyring {
  readonly read: (Protection | undefined)[] = [undefined, undefined, undefined];
  readonly write: (Protection | undefined)[] = [undefined, undefined, undefined];
  /** Server: in every packet under initial keys. */
  nonce: Uint8Array | undefined;
  /** Client: shows headers of packets under the server's initial keys, whose nonce is behind them. */
  initialMask: HeaderMask | undefined;
  readonly #crypto: CryptoProvider;
  readonly #isClient: boolean;
  #version: Version;
  /** Client: what the server's initial keys are made of, once their nonce has come. */
  #server: DirectionKeys | undefined;

  constructor(crypto: CryptoProvider, isClient: boolean, version: Version, cid: Uint8Array) {
    this.#crypto = crypto;
    this.#isClient = isClient;
    this.#version = version;
    this.begin(version, cid);
  }

  /** What needs no agreement. */
  begin(version: Version, cid: Uint8Array): void {
    this.destroy();
    this.#version = version;
    if (!version.hidesHeaders) {
      this.read[Level.clear] = new NullProtection(this.#isClient ? "server" : "client");
      this.write[Level.clear] = new NullProtection(this.#isClient ? "client" : "server");
      return;
    }
    const { client, server } = obfuscationKeys(this.#crypto, cid);
    const [ours, theirs] = this.#isClient ? [client, server] : [server, client];
    this.read[Level.clear] = new AeadProtection(this.#crypto, version, theirs, "read");
    this.write[Level.clear] = new AeadProtection(this.#crypto, version, ours, "write");
    wipe(client);
    wipe(server);
  }

  /** @param nonce - server: for diversification, drawn for this connection */
  install(level: "initial" | "forward-secure", keys: LevelKeys, nonce: Uint8Array | undefined): void {
    const at = level === "initial" ? Level.initial : Level.forwardSecure;
    const [ours, theirs] = this.#isClient ? [keys.client, keys.server] : [keys.server, keys.client];
    keys.subkey.wipe();
    this.drop(at);
    if (at === Level.initial && this.#isClient) {
      this.#server = theirs;
      if (theirs.header !== undefined) this.initialMask = new HeaderMask(this.#crypto, "AES-128-GCM", theirs.header);
    } else {
      this.read[at] = new AeadProtection(this.#crypto, this.#version, theirs, "read");
      wipe(theirs);
    }
    if (at === Level.initial && !this.#isClient) {
      this.nonce = nonce;
      const diversified = diversify(this.#crypto, ours, nonce!);
      this.write[at] = new AeadProtection(this.#crypto, this.#version, diversified, "write");
      wipe(diversified);
    } else this.write[at] = new AeadProtection(this.#crypto, this.#version, ours, "write");
    wipe(ours);
  }

  /** Client: what opens a packet of the server's with this nonce, if there are initial keys. */
  withNonce(bytes: Uint8Array, at: number): Protection | undefined {
    if (this.#server === undefined) return undefined;
    const keys = diversify(this.#crypto, this.#server, bytes.slice(at, at + nonceSize));
    const protection = new AeadProtection(this.#crypto, this.#version, { ...keys, header: undefined }, "read");
    wipe(keys);
    return protection;
  }

  drop(level: Level): void {
    this.read[level]?.destroy();
    this.write[level]?.destroy();
    this.read[level] = this.write[level] = undefined;
    if (level !== Level.initial) return;
    if (this.#server !== undefined) wipe(this.#server);
    this.initialMask?.destroy();
    this.#server = this.initialMask = undefined;
  }

  destroy(): void {
    for (const level of [Level.clear, Level.initial, Level.forwardSecure]) this.drop(level);
  }
}
