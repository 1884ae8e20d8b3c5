import type { Host } from "../contract/index.js";
import { nodeHost } from "../hosts/node/index.js";

let made: Host | undefined;

/** The host that all commands share. */
export const host = (): Host => (made ??= nodeHost());
