export { makeKeyDirectory, readKeyDirectory, readPublicKey } from "./key-directory.js";
