import { failure } from "../failure.js";

/** The line is wrong in itself. */
export function wrong(line: number, message: string, hint?: string): Error {
  return failure("bad-configuration", `line ${line}: ${message}`, { at: `line ${line}`, ...(hint && { hint }) });
}

/** The line asks for what is not done here. */
export function unsupported(line: number, message: string, hint?: string): Error {
  return failure("not-supported", `line ${line}: ${message}`, { at: `line ${line}`, ...(hint && { hint }) });
}
