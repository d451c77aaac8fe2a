/**
 * Flags that several commands share, and how their values are checked: at the boundary, once, with the flag's name in the
 * message. Flags come before the environment, the environment before defaults.
 */
import { accessSync, constants, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { VdnnError } from "../errors.ts";
import { LOG_LEVELS, type LogLevel } from "../logger.ts";
import { policies } from "../plan/policies/index.ts";
import { type SessionSettings, spillOf } from "../register/settings.ts";
import { DEFAULT_POLICY } from "../runtime/options.ts";
import { parseBytes } from "../units.ts";

export interface SessionFlags {
  readonly deviceMemory?: number;
  readonly hostMemory?: number;
  readonly spill?: string | boolean;
  readonly spillMemory?: number;
  readonly policy: string;
  readonly logLevel: LogLevel;
}

export interface FileFlags {
  readonly report?: string;
  readonly trace?: string;
  readonly record?: string;
}

/** Budgets, policy and log level. */
export function addSessionOptions(command: Command): Command {
  return command
    .addOption(size("--device-memory <size>", "VDNN_DEVICE_MEMORY", "hard budget for the device, such as 512MiB"))
    .addOption(size("--host-memory <size>", "VDNN_HOST_MEMORY", "hard budget for offloaded data in host memory"))
    .addOption(
      new Option(
        "--spill [dir]",
        "let a file in this directory take what host memory does not hold; default: the temporary directory",
      ).env("VDNN_SPILL"),
    )
    .addOption(size("--spill-memory <size>", "VDNN_SPILL_MEMORY", "most bytes in that file"))
    .addOption(
      new Option("--policy <name>", "who leaves the device, and when (see vdnn policies)")
        .env("VDNN_POLICY")
        .choices(policies.map(({ name }) => name))
        .default(DEFAULT_POLICY),
    )
    .addOption(
      new Option("--log-level <level>", "log to standard error as JSON lines")
        .env("VDNN_LOG_LEVEL")
        .choices(LOG_LEVELS)
        .default("silent"),
    );
}

/** Files with what happened. */
export function addFileOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--report <file>",
        "write the measurements: a page to look at where the name ends in .html, else JSON (vdnn-report/2)",
      ).env("VDNN_REPORT"),
    )
    .addOption(new Option("--trace <file>", "write a time line for Perfetto or chrome://tracing").env("VDNN_TRACE"))
    .addOption(new Option("--record <file>", "write the recorded iteration as JSON (vdnn-graph/1)").env("VDNN_RECORD"));
}

/** @throws VdnnError `ERR_INVALID_OPTION` when the spill directory is none */
export function sessionSettings(flags: SessionFlags): SessionSettings {
  const { deviceMemory, hostMemory, spillMemory, policy } = flags;
  const spill = spillOf(flags.spill);
  if (typeof spill === "string") requireDirectory(spill, "--spill");
  return {
    policy,
    ...(deviceMemory === undefined ? {} : { deviceMemory }),
    ...(hostMemory === undefined ? {} : { hostMemory }),
    ...(spill === undefined ? {} : { spill }),
    ...(spillMemory === undefined ? {} : { spillMemory }),
  };
}

/** For commands whose report is what they print. */
export const REPORT_FLAG = [
  "--report <file>",
  "write the result: a page to look at where the name ends in .html, else what --json prints",
] as const;

/**
 * The absolute path. That it can be written is checked before hours of work and not after.
 *
 * @param isReplaced the file is written beside its place and renamed, which the directory has to allow
 * @throws VdnnError `ERR_INVALID_OPTION` when there is no such directory, the path is one itself, or nothing can be written there
 */
export function outputFile(path: string, flag: string, isReplaced = false): string {
  const absolute = resolve(path);
  const folder = dirname(absolute);
  requireDirectory(folder, flag);
  const existing = statSync(absolute, { throwIfNoEntry: false });
  const invalid = (text: string): VdnnError =>
    new VdnnError("ERR_INVALID_OPTION", `${flag}: ${text}`, { option: flag, got: path });
  if (existing?.isDirectory() === true) throw invalid(`${absolute} is a directory; name a file in it`);
  const written = existing === undefined || isReplaced ? folder : absolute;
  try {
    accessSync(written, constants.W_OK);
  } catch {
    throw invalid(`${written} cannot be written to; name another file`);
  }
  return absolute;
}

/** The file of `--report`, checked as `outputFile` does; undefined where none is asked for. */
export function reportFile({ report }: { readonly report?: string }): string | undefined {
  return report === undefined ? undefined : outputFile(report, "--report");
}

/** Absolute paths; that their directories exist is checked before hours of training and not after. */
export function absoluteFiles(flags: FileFlags): FileFlags {
  const files: Record<string, string> = {};
  for (const name of ["report", "trace", "record"] as const) {
    const path = flags[name];
    if (path === undefined) continue;
    files[name] = outputFile(path, `--${name}`);
  }
  return files;
}

/** For `argParser`: a whole number, from `least` up. */
export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isSafeInteger(value) && value >= least && text.trim() !== "") return value;
    throw new InvalidArgumentError(`Expected a whole number, ${least} or more.`);
  };
}

/** For `argParser`. */
export function positiveNumber(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError("Expected a positive number.");
}

function size(flags: string, variable: string, description: string): Option {
  return new Option(flags, description).env(variable).argParser((text: string) => {
    try {
      return parseBytes(text);
    } catch {
      throw new InvalidArgumentError("Expected a size such as 512MiB, 12GB or a positive number of bytes.");
    }
  });
}

function requireDirectory(path: string, flag: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return;
  throw new VdnnError(
    "ERR_INVALID_OPTION",
    `${flag}: there is no directory ${path}; create it first or name another one`,
    {
      option: flag,
      got: path,
    },
  );
}
