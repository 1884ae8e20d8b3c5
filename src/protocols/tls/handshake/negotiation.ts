import type { Config } from "../config.js";
import { refuse } from "../failure.js";
import { limits } from "../limits.js";
import { type ExtensionBlock, ext } from "../messages/extensions.js";

export interface RecordLimits {
  /** Content bytes. */
  readonly send: number;
  readonly receive: number;
}

/**
 * What the extensions say of record sizes, RFC 8449 and RFC 6066 §4: record_size_limit is each side's own and counts
 * 1.3's type byte, max_fragment_length is the client's for both.
 */
export function recordLimits(
  config: Config,
  block: ExtensionBlock<"EE"> | ExtensionBlock<"SH12">,
): RecordLimits | undefined {
  const at = block.message === "EE" ? "EncryptedExtensions" : "ServerHello";
  const typed = block as ExtensionBlock<"EE">;
  const theirs = typed.get(ext.recordSizeLimit);
  const fragment = typed.get(ext.maxFragmentLength);
  const typeByte = block.message === "EE" ? 1 : 0;
  if (theirs !== undefined) {
    if (fragment !== undefined) refuse("illegal-parameter", at, "both record_size_limit and max_fragment_length");
    if (theirs < 64) refuse("illegal-parameter", at, `a record_size_limit of ${theirs} is below 64`);
    const ours = config.options.recordSizeLimit ?? limits.recordSizeMax + typeByte;
    return {
      send: Math.min(theirs - typeByte, limits.recordSizeMax),
      receive: Math.min(ours - typeByte, limits.recordSizeMax),
    };
  }
  if (fragment === undefined) return undefined;
  const asked = config.role === "client" ? config.options.maxFragmentLength : undefined;
  if (2 ** (8 + fragment) !== asked) refuse("illegal-parameter", at, "max_fragment_length is not what was asked for");
  return { send: asked, receive: asked };
}

/** The peer's answers to the application's extensions; those without which there is no session must be there. */
export function checkApplicationExtensions(
  config: Config,
  block: ExtensionBlock<"EE"> | ExtensionBlock<"CH"> | ExtensionBlock<"SH"> | ExtensionBlock<"SH12">,
): ReadonlyMap<number, Uint8Array> {
  const answers = new Map<number, Uint8Array>();
  for (const { type, required, inServerHello = false } of config.options.extensions ?? []) {
    // The two messages of 1.3 share what the one of 1.2 has.
    if (block.message === (inServerHello ? "EE" : "SH")) continue;
    const data = block.raw(type);
    if (data !== undefined) answers.set(type, data.slice());
    else if (required === true) refuse("missing-extension", `extension ${type}`, "the application requires it");
  }
  for (const type of block.message === "SH" ? [] : config.dialect.requiredExtensions) {
    if (block.raw(type) === undefined) refuse("missing-extension", `extension ${type}`, "the protocol requires it");
  }
  return answers;
}
