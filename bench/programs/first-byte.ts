/**
 * A cold process: loads Sealport, opens the tunnel of the wg-quick file in its first argument, connects to a host and port
 * inside that speak first, and tells when what was done, in milliseconds: since the process was made, since it asked.
 */
export interface FirstByteAnswer {
  /** From the making of the process until the library was loaded. */
  readonly loadedMs: number;
  /** From then until the tunnel was open, the connection, the first byte. */
  readonly openMs: number;
  readonly connectedMs: number;
  readonly firstByteMs: number;
}

const [file = "", host = "", port = ""] = process.argv.slice(2);
// What `tunnel` loads when it is called is loaded before it, so that loading and doing can be told apart.
const [{ tunnel }] = await Promise.all([
  import("../../src/index.js"),
  import("../../src/adapters/tunnel/open-tunnel.js"),
]);
const start = performance.now();
const since = (): number => performance.now() - start;
const office = await tunnel(file);
const openMs = since();
const socket = office.connect({ host, port: Number(port) });
let connectedMs = 0;
socket.once("connect", () => {
  connectedMs = since();
});
socket.once("data", () => {
  const answer: FirstByteAnswer = { loadedMs: start, openMs, connectedMs, firstByteMs: since() };
  process.stdout.write(`${JSON.stringify(answer)}\n`, () => process.exit());
});
