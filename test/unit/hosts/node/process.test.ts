import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

const door = new URL("../../../../src/hosts/node/index.js", import.meta.url).href;
const crypto = new URL("../../../../src/hosts/node/crypto-portable/index.js", import.meta.url).href;

/** Runs a program with `host` and a quiet `sink` in scope; it must end by itself, with status 0. */
function endsByItself(program: string): void {
  const source = `
    import { nodeHost } from ${JSON.stringify(door)};
    import { portableCrypto } from ${JSON.stringify(crypto)};
    const host = nodeHost({ crypto: portableCrypto });
    const here = { address: "127.0.0.1", port: 0 };
    const sink = () => {
      const told = {};
      const when = (name) => new Promise((resolve) => { told[name] = resolve; });
      return { when, opened() { told.opened?.(); }, bytes() {}, ended() { told.ended?.(); }, drained() {},
        datagrams() {}, closed() { told.closed?.(); } };
    };
    ${program}`;
  const run = spawnSync(process.execPath, ["--input-type=module", "--eval", source], {
    timeout: 20_000,
    encoding: "utf8",
  });
  assert.equal(run.signal, null, "it had to be killed");
  assert.equal(run.status, 0, run.stderr);
}

test("a host alone holds no process open", () => endsByItself(""));

test("what is unreferenced holds no process open", () =>
  endsByItself(`
    host.wakeAt(host.now() + 1e9, () => {}).unref();
    const peer = sink();
    const listener = await host.network.listenStreams(here, (port) => { port.unref(); return peer; });
    listener.unref();
    const client = sink();
    const opened = client.when("opened");
    const port = host.network.connectStream(listener.local, client);
    await opened;
    port.unref();
    (await host.network.bindDatagrams(here, sink())).unref();`));

test("an alarm that was unreferenced and referenced again does hold it open, until it has called", () =>
  endsByItself(`
    let called = false;
    const alarm = host.wakeAt(host.now() + 50, () => { called = true; });
    alarm.unref();
    alarm.ref();
    process.on("exit", () => { if (!called) process.exitCode = 3; });`));

test("when all is closed the process ends", () =>
  endsByItself(`
    host.wakeAt(host.now() + 1e9, () => {}).cancel();
    let accepted;
    const peer = sink();
    const listener = await host.network.listenStreams(here, (port) => { accepted = port; return peer; });
    const client = sink();
    const opened = client.when("opened");
    const port = host.network.connectStream(listener.local, client);
    await opened;
    port.write(new Uint8Array(100000));
    port.finish();
    await peer.when("ended");
    accepted.finish();
    await listener.close();
    (await host.network.bindDatagrams(here, sink())).close();`));

test("after an abort with data under way the process ends", () =>
  endsByItself(`
    let accepted;
    const peer = sink();
    const listener = await host.network.listenStreams(here, (port) => { accepted = port; port.pause(); return peer; });
    const client = sink();
    const opened = client.when("opened");
    const port = host.network.connectStream(listener.local, client);
    await opened;
    while (port.write(new Uint8Array(65536))) await new Promise(setImmediate);
    port.abort();
    accepted.resume();
    await Promise.race([peer.when("closed"), peer.when("ended")]);
    accepted.abort();
    await listener.close();`));
