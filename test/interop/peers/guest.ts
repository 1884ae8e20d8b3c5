import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { ip } from "./namespaces.js";
import { Program } from "./program.js";

const folder =
  process.env["SEALPORT_PEERS"] ?? join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "sealport/peers");
const root = join(folder, "bookworm/root");
/** What the guest's kernel loads, and the programs of this machine that it is given, with their libraries. */
const modules = ["virtio_pci", "virtio_net", "wireguard", "sch_netem"];
const programs = ["wg", "iperf3", "socat", "tc", "openssl"];
const tools = [
  "sh",
  "mount",
  "insmod",
  "ip",
  "ping",
  "sleep",
  "cat",
  "echo",
  "dd",
  "head",
  "sha256sum",
  "stty",
  "kill",
];

/** What a guest has beyond that, for who asks for it. */
export interface GuestParts {
  readonly modules?: readonly string[];
  readonly programs?: readonly string[];
}

/** The kernel's ESP and what it computes with, and iproute2 to set it up. */
export const espParts: GuestParts = {
  modules: [
    ...["esp4", "esp6", "xfrm_user", "jitterentropy_rng", "drbg", "seqiv", "echainiv", "authenc", "authencesn"],
    ...[
      "gcm",
      "ghash_generic",
      "aesni_intel",
      "sha512_generic",
      "chacha20poly1305",
      "chacha_generic",
      "poly1305_generic",
    ],
  ],
  programs: ["ip"],
};

let count = 0;
/** Devices outlive the process that made them. */
const devices = new Set<string>();
process.once("exit", () => {
  for (const device of devices) ip("link", "del", device);
});

/**
 * A Linux kernel of Debian in an emulated machine, with a shell on its serial line: its WireGuard, its TCP, its netem. A
 * wire (a TAP device) leads to it: `host` is our end's address there, `address` the guest's, both IPv4 and IPv6.
 */
export class Guest implements AsyncDisposable {
  readonly host: { readonly v4: string; readonly v6: string };
  readonly address: { readonly v4: string; readonly v6: string };
  readonly #program: Program;
  readonly #device: string;
  readonly #folder: string;
  #commands = 0;

  static async boot(parts: GuestParts = {}): Promise<Guest> {
    const kernel =
      existsSync(join(root, "boot")) && readdirSync(join(root, "boot")).find((each) => /^vmlinuz/.test(each));
    if (!kernel) throw new Error("Debian's cloud kernel is not here; scripts/peers/install.sh kernel unpacks it");
    const guest = new Guest(join(root, "boot", kernel), parts);
    try {
      await guest.#program.says(/GUEST-READY/);
    } catch (error) {
      await guest[Symbol.asyncDispose]();
      throw error;
    }
    return guest;
  }

  private constructor(kernel: string, parts: GuestParts) {
    const id = process.pid % 100_000;
    this.#device = `spt${id}x${count}`;
    const net = (id + 97 * count++) % 250;
    this.host = { v4: `10.201.${net}.1`, v6: `fd01:${net}::1` };
    this.address = { v4: `10.201.${net}.2`, v6: `fd01:${net}::2` };
    ip("tuntap", "add", this.#device, "mode", "tap");
    devices.add(this.#device);
    ip("addr", "add", `${this.host.v4}/24`, "dev", this.#device);
    ip("addr", "add", `${this.host.v6}/64`, "dev", this.#device, "nodad");
    ip("link", "set", this.#device, "up");
    this.#folder = mkdtempSync(join(tmpdir(), "sealport-guest-"));
    const image = this.#image(parts);
    this.#program = new Program("guest", "qemu-system-x86_64", [
      // Emulated: a machine that runs tests seldom lends its own virtualization.
      ...["-accel", "tcg", "-cpu", "max", "-m", "320", "-smp", "1", "-nographic", "-nodefaults", "-no-reboot"],
      ...["-serial", "stdio", "-kernel", kernel, "-initrd", image],
      ...["-append", "console=ttyS0 quiet panic=-1 rdinit=/init mitigations=off random.trust_cpu=on"],
      ...[
        "-netdev",
        `tap,id=n,ifname=${this.#device},script=no,downscript=no`,
        "-device",
        "virtio-net-pci,netdev=n,romfile=",
      ],
    ]);
  }

  /** Runs a command of the guest's shell and answers what it said; rejects if it fails. */
  async run(command: string): Promise<string> {
    const mark = `done-${++this.#commands}`;
    const from = this.#program.said.length;
    await this.#program.write(`{ ${command}; } </dev/null 2>&1; echo "<${mark} $?>"\n`);
    const [, said, status] = await this.#program.says(new RegExp(`([^]*?)<${mark} (\\d+)>`), from);
    if (status !== "0") throw new Error(`the guest's ${command} ended with ${status}: ${said}`);
    return said!.trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
    ip("link", "del", this.#device);
    devices.delete(this.#device);
    rmSync(this.#folder, { recursive: true });
  }

  /** The guest's whole file system, in a cpio archive. */
  #image({ modules: more = [], programs: others = [] }: GuestParts): string {
    const top = join(this.#folder, "root");
    for (const each of ["bin", "lib/modules", "lib64", "proc", "sys", "dev", "run", "tmp"])
      mkdirSync(join(top, each), { recursive: true });
    copyFileSync("/bin/busybox", join(top, "bin/busybox"));
    for (const tool of tools.filter((each) => !others.includes(each))) symlinkSync("busybox", join(top, "bin", tool));
    for (const program of [...programs, ...others]) {
      const path = execFileSync("which", [program], { encoding: "utf8" }).trim();
      cpSync(path, join(top, "bin", program), { dereference: true });
      for (const [library] of execFileSync("ldd", [path], { encoding: "utf8" }).matchAll(/\/\S+/g)) {
        mkdirSync(join(top, dirname(library)), { recursive: true });
        cpSync(library, join(top, library), { dereference: true });
      }
    }
    const files = modulesInOrder([...modules, ...more]);
    for (const file of files) copyFileSync(file, join(top, "lib/modules", basename(file)));
    const init = [
      "#!/bin/sh",
      "export PATH=/bin WG_COLOR_MODE=never",
      "mount -t proc p /proc; mount -t sysfs s /sys; mount -t devtmpfs d /dev; mount -t tmpfs t /tmp",
      ...files.map((file) => `insmod /lib/modules/${basename(file)}`),
      "ip link set lo up; echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad",
      `ip addr add ${this.address.v4}/24 dev eth0; ip addr add ${this.address.v6}/64 dev eth0; ip link set eth0 up`,
      "stty -echo < /dev/console",
      "echo GUEST-READY",
      // Not an interactive shell: BusyBox's takes the end of a background job for the end of its input.
      'while :; do read -r line && eval "$line"; done < /dev/console',
    ];
    writeFileSync(join(top, "init"), `${init.join("\n")}\n`);
    chmodSync(join(top, "init"), 0o755);
    const image = join(this.#folder, "image");
    execFileSync("sh", ["-c", `find . | cpio -o -H newc --quiet > ${image}`], { cwd: top });
    return image;
  }
}

/** The files of the modules, what each needs before it. What the kernel has built in has no file. */
function modulesInOrder(wanted: readonly string[]): readonly string[] {
  const version = readdirSync(join(root, "lib/modules"))[0]!;
  const files = new Map(
    execFileSync("find", [join(root, "lib/modules", version), "-name", "*.ko"], { encoding: "utf8" })
      .trim()
      .split("\n")
      .map((file) => [basename(file, ".ko").replaceAll("-", "_"), file] as const),
  );
  const ordered = new Set<string>();
  const add = (name: string): void => {
    const file = files.get(name);
    if (file === undefined || ordered.has(file)) return;
    const needs = execFileSync("modinfo", ["-F", "depends", file], { encoding: "utf8" }).trim();
    for (const each of needs.split(",")) add(each.replaceAll("-", "_"));
    ordered.add(file);
  };
  for (const each of wanted) add(each);
  return [...ordered];
}
