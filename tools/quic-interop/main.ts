#!/usr/bin/env node
import { nodeHost } from "../../src/hosts/node/index.js";
import { cases } from "./cases.js";
import { client } from "./client.js";
import { readEnvironment } from "./environment.js";
import { server } from "./server.js";

// An end of quic-interop-runner: `ROLE=client TESTCASE=transfer REQUESTS=… node main.js`. README.md has the rest.

/** What the runner takes for "this end does not know the case". */
const unsupported = 127;

const environment = readEnvironment(process.env, process.argv[2]);
const { role, testcase, qlog } = environment;
const played = Object.hasOwn(cases, testcase) ? cases[testcase] : undefined;

if ((role !== "client" && role !== "server") || played === undefined) {
  console.error(`quic-interop: ${role === "client" || role === "server" ? `no case ${testcase}` : `no role ${role}`}`);
  process.exit(unsupported);
}
const host = nodeHost();
if (role === "client") {
  try {
    await client(host, environment, played);
  } catch (error) {
    console.error(`quic-interop: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  }
  await qlog?.close();
} else {
  const listener = await server(host, environment, played);
  console.error(`quic-interop: listening on ${listener.local.address} port ${listener.local.port}`);
  const stop = async (): Promise<void> => {
    await listener.closeAll();
    await qlog?.close();
    process.exit(0);
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => void stop());
  }
}
