import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** How to start a stranger's program: the command and the arguments that come before its own. */
export interface Command {
  readonly name: string;
  readonly command: string;
  readonly prefix: readonly string[];
}

const scripts = new URL("../../../../scripts/peers/", import.meta.url).pathname;
const programs = new URL("../../../../test/interop/peers/", import.meta.url).pathname;
const peers =
  process.env["SEALPORT_PEERS"] ?? join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "sealport/peers");

interface Place {
  /** Debian's own, or unpacked from trixie by scripts/peers/trixie.sh. */
  readonly from: "system" | "trixie";
  readonly program: string;
  readonly group: string;
  readonly version: readonly string[];
  /** What its version must look like for the test to mean what its name says. */
  readonly expected: RegExp;
}

const places = {
  "OpenSSL 3.0": {
    from: "system",
    program: "openssl",
    group: "tls",
    version: ["version"],
    expected: /^OpenSSL 3\.0\./,
  },
  "OpenSSL 3.5": {
    from: "trixie",
    program: "openssl",
    group: "tls",
    version: ["version"],
    expected: /^OpenSSL 3\.5\./,
  },
  "GnuTLS 3.7 server": {
    from: "system",
    program: "gnutls-serv",
    group: "tls",
    version: ["--version"],
    expected: / 3\.7\./,
  },
  "GnuTLS 3.7 client": {
    from: "system",
    program: "gnutls-cli",
    group: "tls",
    version: ["--version"],
    expected: / 3\.7\./,
  },
  "GnuTLS 3.8 server": {
    from: "trixie",
    program: "gnutls-serv",
    group: "tls",
    version: ["--version"],
    expected: / 3\.8\./,
  },
  "GnuTLS 3.8 client": {
    from: "trixie",
    program: "gnutls-cli",
    group: "tls",
    version: ["--version"],
    expected: / 3\.8\./,
  },
  "ngtcp2 0.12 server": {
    from: "system",
    program: "gtlsserver",
    group: "quic",
    version: ["--help"],
    // It tells no version; this option was renamed in 0.13.
    expected: /--other-versions/,
  },
  "ngtcp2 0.12 client": {
    from: "system",
    program: "gtlsclient",
    group: "quic",
    version: ["--help"],
    expected: /--other-versions/,
  },
  "ngtcp2 1.11 server": {
    from: "trixie",
    program: "gtlsserver",
    group: "quic",
    version: ["--help"],
    expected: /--available-versions/,
  },
  "ngtcp2 1.11 client": {
    from: "trixie",
    program: "gtlsclient",
    group: "quic",
    version: ["--help"],
    expected: /--available-versions/,
  },
  "nginx 1.26": { from: "trixie", program: "nginx", group: "quic", version: ["-v"], expected: /nginx\/1\.26\./ },
  "haproxy 3.0": { from: "trixie", program: "haproxy", group: "quic", version: ["-v"], expected: /version 3\.0\./ },
  "curl 8.14": {
    from: "trixie",
    program: "curl",
    group: "quic",
    version: ["--version"],
    expected: /^curl 8\.14\.[\s\S]*HTTP3/,
  },
  "Caddy 2.6": { from: "system", program: "caddy", group: "quic", version: ["version"], expected: /^v?2\.6\./ },
  Chromium: { from: "system", program: "chromium", group: "browser", version: ["--version"], expected: /^Chromium / },
  curvecpserver: nacl("curvecpserver"),
  curvecpclient: nacl("curvecpclient"),
  curvecpmakekey: nacl("curvecpmakekey"),
  curvecpprintkey: nacl("curvecpprintkey"),
  tshark: { from: "system", program: "tshark", group: "base", version: ["--version"], expected: /^TShark/ },
} as const satisfies Record<string, Place>;

/** NaCl's programs tell no version: they say how they are used. */
function nacl<Name extends string>(program: Name) {
  const expected = new RegExp(`^${program}: (how to use:|usage: ${program} keydir)`);
  return { from: "system", program, group: "curvecp", version: [], expected } as const;
}

export type PeerProgram = keyof typeof places;

const found = new Map<PeerProgram, Command>();

/** How to start trixie's Python, which finds aioquic. */
export function python(file: string): Command {
  if (!existsSync(join(peers, "trixie/root/usr/lib/python3/dist-packages/aioquic"))) {
    throw new Error("the real peer aioquic is not here; install it with: scripts/peers/install.sh quic");
  }
  return { name: "aioquic 1.2", command: join(scripts, "trixie.sh"), prefix: ["py", join(programs, "python", file)] };
}

/** Where trixie is unpacked, and how to start what was compiled against it. */
export const trixieRoot: string = join(peers, "trixie/root");
/** Where sid is, whose libraries C programs are compiled against. */
export const sidRoot: string = join(peers, "sid/root");
export const onTrixie = (path: string): Command => ({
  name: path,
  command: join(scripts, "trixie.sh"),
  prefix: ["run", path],
});

/** The command of a real peer. Throws, with its name and how to install it, if it is missing or of another version. */
export function peer(name: PeerProgram): Command {
  const known = found.get(name);
  if (known) return known;
  const { from, program, group, version, expected }: Place = places[name];
  const [command, prefix] = from === "system" ? [program, []] : [join(scripts, "trixie.sh"), ["run", program]];
  const install = `install it with: scripts/peers/install.sh ${group}`;
  const unpacked = (folder: string) => existsSync(join(peers, "trixie/root/usr", folder, program));
  if (from === "trixie" && !unpacked("bin") && !unpacked("sbin")) {
    throw new Error(`the real peer ${name} (${program} of Debian trixie) is not here; ${install}`);
  }
  let said: string;
  try {
    const { stdout, stderr, error } = spawnSync(command, [...prefix, ...version], { encoding: "utf8" });
    if (error) throw error;
    said = stdout || stderr;
  } catch (cause) {
    throw new Error(`the real peer ${name} (${program}) is not here; ${install}`, { cause });
  }
  if (!expected.test(said)) {
    throw new Error(
      `the real peer ${name} is needed, but ${program} says ${said.split("\n")[0]}; ${install} on Debian 12`,
    );
  }
  const result = { name, command, prefix };
  found.set(name, result);
  return result;
}
