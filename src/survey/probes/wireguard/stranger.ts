import { existsSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { toHex } from "../../../bytes/index.js";
import { ask, Program } from "../../program.js";

/** wireguard-go as a peer: another implementation, by other people. */
export interface Stranger {
  /** "wireguard-go 0.0.20220316". */
  readonly name: string;
  /** One end of it, on the loopback, that knows one peer; its device has no address, so nothing of this machine goes there. */
  start(init: StrangerInit, signal: AbortSignal): Promise<StrangerEnd>;
}

export interface StrangerInit {
  readonly privateKey: Uint8Array;
  readonly peerPublicKey: Uint8Array;
  readonly preSharedKey?: Uint8Array;
}

export interface StrangerEnd extends AsyncDisposable {
  readonly port: number;
  /** What it says of its peer: `last_handshake_time_sec`, `endpoint`, and so on. */
  peer(): Promise<ReadonlyMap<string, string>>;
  /** It sleeps until `resume`, and what is sent to it waits. */
  pause(): void;
  resume(): void;
}

const tun = "/dev/net/tun";
let count = 0;

/** Looks for wireguard-go in PATH. It makes a TUN device while it runs, and that only root may. */
export async function findStranger(): Promise<Stranger | undefined> {
  if (process.getuid?.() !== 0 || !existsSync(tun)) return undefined;
  const [, version] = /wireguard-go v?([\w.]+)/.exec((await ask("wireguard-go", ["--version"])) ?? "") ?? [];
  if (version === undefined || (await ask("ip", ["-V"])) === undefined) return undefined;
  return {
    name: `wireguard-go ${version}`,
    async start({ privateKey, peerPublicKey, preSharedKey }, signal) {
      const device = `seal${process.pid % 100_000}x${count++}`;
      const control = `/var/run/wireguard/${device}.sock`;
      const program = new Program("wireguard-go", ["-f", device], signal);
      const talk = (text: string): Promise<string> => converse(control, text);
      const end = async (): Promise<void> => {
        await program[Symbol.asyncDispose]();
        rmSync(control, { force: true });
      };
      try {
        // Its socket is there a moment before it listens.
        while (!existsSync(control) || !(await talk("get=1\n\n").then(Boolean, () => false))) {
          signal.throwIfAborted();
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
        const psk = preSharedKey === undefined ? "" : `preshared_key=${toHex(preSharedKey)}\n`;
        const peer = `public_key=${toHex(peerPublicKey)}\n${psk}allowed_ip=10.66.0.1/32\n`;
        const answer = await talk(`set=1\nprivate_key=${toHex(privateKey)}\nlisten_port=0\n${peer}\n`);
        if (!/^errno=0$/m.test(answer)) throw new Error(`wireguard-go: ${answer}`);
        if ((await ask("ip", ["link", "set", device, "up"])) === undefined) throw new Error(`${device} stays down`);
        const state = async (): Promise<ReadonlyMap<string, string>> =>
          new Map((await talk("get=1\n\n")).split("\n").map((line) => line.split("=", 2) as [string, string]));
        let port = 0;
        while (port === 0) {
          signal.throwIfAborted();
          port = Number((await state()).get("listen_port") ?? 0);
        }
        return {
          port,
          peer: state,
          pause: () => program.signal("SIGSTOP"),
          resume: () => program.signal("SIGCONT"),
          [Symbol.asyncDispose]: end,
        };
      } catch (error) {
        await end();
        throw error;
      }
    },
  };
}

/** One question and its answer by wireguard-go's own socket, which ends each with an empty line. */
function converse(path: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let heard = "";
    const socket = connect(path, () => socket.write(text));
    socket.setEncoding("latin1").on("data", (chunk: string) => {
      heard += chunk;
      if (heard.endsWith("\n\n")) socket.destroy();
    });
    socket.once("error", reject).once("close", () => resolve(heard));
  });
}
