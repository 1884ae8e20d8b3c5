#!/usr/bin/env node
import { keepCompiled } from "./compile-cache.js";
import { exitCodes } from "./exit.js";
import { main } from "./run.js";

keepCompiled();
process.exitCode = exitCodes[await main(process.argv.slice(2))].code;
