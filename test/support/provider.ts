import { chooseCrypto } from "../../src/hosts/node/crypto.js";

/**
 * The provider of this run: what a program would get here, so the native one where it can be had. What depends on it
 * is run a second time with SEALPORT_NATIVE=off, on the portable one (scripts/test.mjs).
 */
export const { provider } = chooseCrypto();
