import { readFileSync } from "node:fs";
import { Failure } from "../../contract/index.js";
import { fileSizeMax } from "./limits.js";

/** Where an administrator puts the policy of a host, unless `SEALPORT_POLICY` names another file. */
const usualPath = "/etc/sealport/policy.json";

/**
 * The system policy of this host as JSON, for `readSystemPolicy`; undefined if there is none. A file that is named but
 * missing, or that is no JSON, throws: a policy that cannot be read must not be taken for one that allows everything.
 */
export function policyFile(path: string | undefined = process.env["SEALPORT_POLICY"]): unknown {
  try {
    const text = readFileSync(path ?? usualPath, "utf8");
    if (text.length > fileSizeMax) throw new RangeError(`it has more than ${fileSizeMax} bytes`);
    return JSON.parse(text);
  } catch (cause) {
    if (path === undefined && cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw new Failure({
      fault: "misuse",
      reason: "unreadable-policy",
      protocol: "host",
      at: path ?? usualPath,
      message: `the system policy cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      cause,
    });
  }
}
