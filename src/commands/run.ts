/**
 * `vdnn run script.js`: an existing training script, unmodified, in a child process that preloads `vdnn/register`. The child has
 * the same streams, arguments and working directory as under plain `node`; this process only waits, hands signals and messages
 * on and ends as the child ended.
 */
import { spawn } from "node:child_process";
import { statSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { extname, resolve } from "node:path";
import type { Command } from "commander";
import { VdnnError } from "../errors.ts";
import { say } from "../register/farewell.ts";
import { type RegisterSettings, RUN_VARIABLE } from "../register/settings.ts";
import { inheritance, relayMessages } from "./inherited.ts";
import { absoluteFiles, type FileFlags, type SessionFlags, sessionSettings } from "./options.ts";
import { RETURN_MEMORY, whyNoReturn } from "./return-memory.ts";

export interface RunFlags extends SessionFlags, FileFlags {
  readonly quiet?: boolean;
  /** Freed tensors go back to the system at once, where the C library can do that. Default false. */
  readonly returnMemory?: boolean;
}

const TYPESCRIPT = new Set([".ts", ".mts", ".cts", ".tsx"]);
const SCRIPT = new Set([...TYPESCRIPT, ".js", ".mjs", ".cjs", ".jsx"]);
/** Handed on to the child. The others cannot be caught, or are the terminal's business. */
const FORWARDED = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGCONT"] as const;
/**
 * Sent by a terminal to every process in the foreground, so to the child as well. That a signal came from elsewhere, to this
 * process alone, cannot be told here: Node.js does not say who sent it, and a script must not be interrupted twice.
 */
const FROM_TERMINAL: ReadonlySet<string> = new Set(["SIGINT", "SIGQUIT"]);
const SIGNAL_EXIT_BASE = 128;

/**
 * Runs the script and returns its exit code, or 128 plus the signal that ended it.
 *
 * @throws VdnnError `ERR_INVALID_OPTION` when there is no such script
 */
export async function run(script: string, scriptArguments: readonly string[], flags: RunFlags): Promise<number> {
  const extension = extname(findScript(script));
  const preloads = preloadsFor(TYPESCRIPT.has(extension));
  const settings: RegisterSettings = {
    session: sessionSettings(flags),
    logLevel: flags.logLevel,
    quiet: flags.quiet ?? false,
    files: absoluteFiles(flags),
    preloaded: preloads.own,
  };
  const imports = preloads.all.flatMap((module) => ["--import", module]);
  const child = spawn(process.execPath, [...imports, script, ...scriptArguments], {
    ...inheritance(),
    env: { ...allocatorSettings(flags), ...process.env, [RUN_VARIABLE]: JSON.stringify(settings) },
  });
  const messagesDone = relayMessages(child);
  const terminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  const listeners = FORWARDED.map((signal) => {
    const listener = (): void => {
      if (!(terminal && FROM_TERMINAL.has(signal))) child.kill(signal);
    };
    process.on(signal, listener);
    return { signal, listener };
  });
  try {
    const exitCode = await new Promise<number>((done, fail) => {
      child.once("error", fail);
      child.once("exit", (code, signal) => {
        done(signal === null ? (code ?? 1) : SIGNAL_EXIT_BASE + constants.signals[signal]);
      });
    });
    await messagesDone();
    return exitCode;
  } finally {
    for (const { signal, listener } of listeners) process.off(signal, listener);
  }
}

/**
 * Makes `--spill script.js` mean what it says: the directory is optional, and commander would take the script for it. Only what
 * stands before the script is looked at; the rest belongs to the script.
 */
export function separateSpill(command: Command, tokens: readonly string[]): string[] {
  const takesValue = new Set(
    command.options.filter(({ required }) => required).flatMap(({ long, short }) => [long, short]),
  );
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i] ?? "";
    if (token === "--" || !token.startsWith("-")) break;
    if (token === "--spill") {
      const next = tokens[i + 1] ?? "-";
      if (!next.startsWith("-") && !isScript(next)) i++;
      else return [...tokens.slice(0, i), "--spill=true", ...separateSpill(command, tokens.slice(i + 1))];
    } else if (takesValue.has(token)) i++;
  }
  return [...tokens];
}

function isScript(path: string): boolean {
  return SCRIPT.has(extname(path)) || statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

/** The file that `node script` would run: extensions and index.js may be left out. */
function findScript(script: string): string {
  const path = resolve(script);
  if (statSync(path, { throwIfNoEntry: false })?.isFile() === true) return path;
  try {
    return createRequire(import.meta.url).resolve(path);
  } catch (cause) {
    throw new VdnnError(
      "ERR_INVALID_OPTION",
      `there is no script ${path}; usage: vdnn run [options] script.js [script's own arguments]`,
      { option: "script", got: script },
      { cause },
    );
  }
}

/** What the user has set comes after it and wins. */
function allocatorSettings({ returnMemory = false }: RunFlags): Readonly<Record<string, string>> {
  if (!returnMemory) return {};
  const reason = whyNoReturn();
  if (reason === undefined) return RETURN_MEMORY;
  say(`--return-memory has no effect: ${reason}`);
  return {};
}

/** What the child preloads: all of it, and the part that is there for vdnn and not for the script. */
function preloadsFor(typescript: boolean): { readonly all: readonly string[]; readonly own: readonly string[] } {
  const fromSource = import.meta.url.endsWith(".ts");
  const register = new URL(fromSource ? "../register.ts" : "../register.js", import.meta.url).href;
  if (!typescript && !fromSource) return { all: [register], own: [register] };
  // vdnn's own tsx, wherever the script lies.
  const tsx = import.meta.resolve("tsx");
  if (fromSource) return { all: [tsx, register], own: typescript ? [register] : [tsx, register] };
  // Built, vdnn is plain JavaScript and is loaded before tsx, so that the script's tsconfig.json says nothing about it.
  return { all: [register, tsx], own: [register] };
}
