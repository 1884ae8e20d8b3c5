import type { ProtocolProbes } from "../probe.js";

/** The protocols that are built, each imported when it is asked for. */
export const built: readonly (() => Promise<ProtocolProbes>)[] = [];

export const allProbes = (): Promise<readonly ProtocolProbes[]> => Promise.all(built.map((load) => load()));
