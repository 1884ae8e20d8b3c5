import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { authority, identity, scratch } from "./peers/certificates.js";
import { ip } from "./peers/namespaces.js";
import { Program } from "./peers/program.js";

const program = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
const ours = 1_100;

/** Two hosts with a router of the kernel's between: a, 10.78.1.1, and b, 10.78.2.1. */
class Routed implements Disposable {
  readonly a: string;
  readonly r: string;
  readonly b: string;

  constructor() {
    const id = `${process.pid % 100_000}`;
    [this.a, this.r, this.b] = [`sealport${id}ra`, `sealport${id}rr`, `sealport${id}rb`];
    for (const each of [this.a, this.r, this.b]) ip("netns", "add", each);
    for (const [host, net] of [
      [this.a, 1],
      [this.b, 2],
    ] as const) {
      ip("link", "add", "wire", "netns", host, "type", "veth", "peer", "name", `to${net}`, "netns", this.r);
      ip("-n", host, "addr", "add", `10.78.${net}.1/24`, "dev", "wire");
      ip("-n", this.r, "addr", "add", `10.78.${net}.254/24`, "dev", `to${net}`);
      ip("-n", host, "link", "set", "wire", "up");
      ip("-n", this.r, "link", "set", `to${net}`, "up");
      ip("-n", host, "route", "add", "default", "via", `10.78.${net}.254`);
    }
    ip("netns", "exec", this.r, "sysctl", "-qw", "net.ipv4.ip_forward=1");
  }

  /** The wire between the router and b carries so much from now on. */
  narrow(mtu: number): void {
    ip("-n", this.b, "link", "set", "wire", "mtu", String(mtu));
    ip("-n", this.r, "link", "set", "to2", "mtu", String(mtu));
  }

  [Symbol.dispose](): void {
    for (const each of [this.a, this.r, this.b]) ip("netns", "del", each);
  }
}

for (const native of ["", "off"]) {
  test(`a path that narrows in mid-connection, where a router says so, is the host's affair: DTLS goes on without mtuMax (SEALPORT_NATIVE=${native})`, async () => {
    using place = new Routed();
    const { certificate, key } = identity("p256");
    const both = join(scratch(), "both.pem");
    writeFileSync(both, readFileSync(certificate, "utf8") + readFileSync(key, "utf8"), { mode: 0o600 });
    const run = (host: string, ...args: readonly string[]): Program =>
      new Program(`sealport ${args[0]}`, "ip", ["netns", "exec", host, process.execPath, program, ...args], {
        SEALPORT_NATIVE: native,
      });
    await using server = run(place.b, "listen", "dtls://10.78.2.1:4433", "--identity", both, "--echo", "--json");
    await server.says(/"listening"/);
    const to = "dtls://10.78.2.1:4433?server-name=localhost";
    await using client = run(place.a, "connect", to, "--trust", authority());
    await client.says(/DTLS 1\.3/);
    let count = 0;
    /** Says something of 1,100 bytes until it comes back, and answers how often it had to. */
    const talk = async (): Promise<number> => {
      for (let tries = 1; ; tries++) {
        const word = `message ${++count};`;
        await client.write(word.padEnd(ours, "."));
        for (let waits = 0; waits < 20; waits++) {
          if (client.said.includes(word)) return tries;
          if (client.status !== undefined || server.status !== undefined) assert.fail(client.said.slice(-500));
          await new Promise((later) => setTimeout(later, 25));
        }
        assert.ok(tries < 60, "nothing comes back");
      }
    };
    await talk();
    place.narrow(700);
    // The first is lost, and the router says why; from then on the kernel cuts what we send, on the way there and back.
    await talk();
    const route = ip("-n", place.a, "route", "get", "10.78.2.1");
    assert.match(route, /mtu 700/);
    for (let i = 0; i < 5; i++) await talk();
  });
}
