#!/usr/bin/env node
import { exitCodes } from "./exit.js";
import { main } from "./run.js";

process.exitCode = exitCodes[await main(process.argv.slice(2))].code;
