import type { Instant } from "../../../contract/index.js";
import { refuse } from "../failure.js";
import { limits } from "../limits.js";
import { initialProtection, type Protection, tagSize } from "../protection/protection.js";
import { checkRetry } from "../protection/retry.js";
import { type Version, versionByCode } from "../protection/versions.js";
import { type HeaderView, listedVersions } from "../wire/header.js";
import type { Core } from "./core.js";
import { CryptoSender } from "./crypto-stream.js";
import { SpaceId } from "./space.js";

/** Bytes of the id that a client makes up for a server it does not know yet; RFC 9000 §7.2 asks for at least 8. */
export const firstDcidSize = 8;

/**
 * What may come in place of an answer to a client's first packets: a Retry, a Version Negotiation, or the answer in another
 * version; and how a server goes over to another version.
 */
export class Negotiation {
  readonly #core: Core;
  /** Makes the handshake anew, for another version. */
  readonly #restart: (now: Instant) => void;
  #candidate: { readonly version: Version; readonly read: Protection; readonly write: Protection } | undefined;
  /** With what the client began, before a Version Negotiation. */
  refused: Version | undefined;

  constructor(core: Core, restart: (now: Instant) => void) {
    this.#core = core;
    this.#restart = restart;
  }

  /** RFC 9000 §17.2.5.2: one, before anything else, and authentic. */
  retry(bytes: Uint8Array, header: HeaderView, at: number): boolean {
    const core = this.#core;
    if (!core.isClient || core.isHeard || core.retryScid !== undefined || header.version !== core.version) return false;
    const token = bytes.slice(header.bodyAt, header.end - tagSize);
    if (token.length === 0) return false;
    if (!checkRetry(core.ground.crypto, core.version, core.initialDcid, bytes.subarray(at, header.end))) return false;
    core.retryScid = core.initialDcid = bytes.slice(header.scidAt, header.scidAt + header.scidSize);
    core.token = token;
    this.#sendAnew();
    return true;
  }

  /** RFC 9000 §6.2, RFC 9368 §2.1: goes on with the best version that both have. */
  versionNegotiation(bytes: Uint8Array, header: HeaderView, now: Instant): boolean {
    const core = this.#core;
    if (!core.isClient || core.isHeard || core.retryScid !== undefined || this.refused !== undefined) return false;
    // It must echo both ids, or somebody else made it up.
    if (!this.#echoes(bytes, header)) return false;
    const listed = listedVersions(bytes, header.bodyAt, header.end)?.slice(0, limits.versionsMax);
    if (listed === undefined || listed.includes(core.version.code)) return false;
    const next = core.ground.settings.versions.find(({ code }) => listed.includes(code));
    if (next === undefined) {
      refuse(
        "no-common-version",
        "Version Negotiation",
        `the server takes ${listed.map(versionText).join(", ")} alone`,
      );
    }
    this.refused = core.version;
    core.setVersion(next);
    core.originalVersion = next;
    core.initialDcid = core.firstDcid = core.ground.entropy.fill(new Uint8Array(firstDcidSize));
    this.#sendAnew();
    core.spaces[SpaceId.initial].sender = new CryptoSender();
    this.#restart(now);
    return true;
  }

  /** Keys for an Initial packet in a version that we offered and did not begin with (RFC 9368 §2.3). */
  keysFor(version: Version | undefined): Protection | undefined {
    const core = this.#core;
    if (!core.isClient || core.isVersionKnown || version === undefined) return undefined;
    if (!core.ground.settings.versions.includes(version)) return undefined;
    if (this.#candidate?.version !== version) {
      this.#forgetCandidate();
      this.#candidate = { version, ...initialProtection(core.ground.crypto, version, core.initialDcid, "client") };
    }
    return this.#candidate?.read;
  }

  /** The packet was authentic: if it is in another version, that is the one (RFC 9369 §4.1). */
  settle(version: Version): void {
    const core = this.#core;
    if (version === core.version) return;
    core.isVersionKnown = true;
    if (this.#candidate?.version === version) {
      const [initial] = core.spaces;
      initial.read?.destroy();
      initial.write?.destroy();
      initial.read = this.#candidate.read;
      initial.write = this.#candidate.write;
      core.setVersion(version);
    } else this.#forgetCandidate();
    this.#candidate = undefined;
  }

  /** Server: the rest of the handshake is in that version; what the client sends in the old one is read still. */
  change(version: Version): void {
    const core = this.#core;
    core.otherInitialRead = core.spaces[0].read;
    core.setVersion(version);
    core.installInitialKeys();
  }

  #forgetCandidate(): void {
    this.#candidate?.read.destroy();
    this.#candidate?.write.destroy();
    this.#candidate = undefined;
  }

  #sendAnew(): void {
    const core = this.#core;
    core.peerCids.initial(core.initialDcid);
    core.paths.current.cid = core.initialDcid;
    core.spaces[0].read?.destroy();
    core.installInitialKeys();
    core.recovery.lostAll(SpaceId.initial);
    core.recovery.lostAll(SpaceId.application);
  }

  #echoes(bytes: Uint8Array, header: HeaderView): boolean {
    const { initialDcid, beginning } = this.#core;
    const same = (at: number, size: number, id: Uint8Array): boolean =>
      size === id.length && id.every((byte, i) => bytes[at + i] === byte);
    return same(header.scidAt, header.scidSize, initialDcid) && same(header.dcidAt, header.dcidSize, beginning.ownCid);
  }
}

const versionText = (code: number): string => versionByCode.get(code)?.name ?? `0x${code.toString(16)}`;
