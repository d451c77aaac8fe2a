#!/usr/bin/env node
/** The program's entry: runs the command line and ends with its exit code once everything is written. */
import { main } from "./cli.ts";

/** 128 + SIGPIPE: how a program ends whose reader is gone, as in `vdnn train | head`. */
const BROKEN_PIPE = 141;

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(BROKEN_PIPE);
});
process.exitCode = await main(process.argv.slice(2));
