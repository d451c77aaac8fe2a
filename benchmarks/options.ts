/** The command line of a benchmark: named options with defaults, checked before anything is measured. */
import { parseArgs } from "node:util";
import { BACKENDS, type BackendName } from "../src/backends/load.ts";

export interface OptionHelp {
  readonly default: string;
  readonly help: string;
}

export type OptionTable = Readonly<Record<string, OptionHelp>>;

/** What every benchmark takes, besides its own. */
const COMMON = {
  json: { default: "", help: "file for the result; none: only the table is printed" },
  backend: { default: "tensorflow", help: `one of ${BACKENDS.join(", ")}` },
} satisfies OptionTable;

export type Options<T extends OptionTable> = Readonly<Record<keyof T | keyof typeof COMMON, string>>;

export class UsageError extends Error {}

/** Prints the help and exits when asked to. */
export function readOptions<T extends OptionTable>(question: string, table: T): Options<T> {
  const all: OptionTable = { ...table, ...COMMON };
  const names = Object.keys(all);
  try {
    const { values } = parseArgs({
      options: {
        ...Object.fromEntries(names.map((name) => [name, { type: "string" as const }])),
        help: { type: "boolean" },
      },
    });
    if (values.help === true) {
      process.stdout.write(`${question}\n\n${names.map((name) => helpLine(name, all[name])).join("\n")}\n`);
      process.exit(0);
    }
    const given = values as Readonly<Record<string, string | boolean | undefined>>;
    return Object.fromEntries(names.map((name) => [name, given[name] ?? all[name]?.default])) as Options<T>;
  } catch (cause) {
    throw new UsageError(`${cause instanceof Error ? cause.message : String(cause)}\nSee --help.`, { cause });
  }
}

function helpLine(name: string, option: OptionHelp | undefined): string {
  const fallback = option?.default ?? "";
  return `  --${name.padEnd(16)} ${option?.help ?? ""}${fallback === "" ? "" : ` (default ${fallback})`}`;
}

/** @param blocking the benchmark's code is synchronous, so it needs a backend that can block */
export function backendOption(name: string, { blocking = false } = {}): BackendName {
  const known = blocking ? BACKENDS.filter((each) => each !== "webgpu") : BACKENDS;
  const backend = known.find((each) => each === name);
  if (backend === undefined) throw new UsageError(`--backend: expected one of ${known.join(", ")}, got "${name}"`);
  return backend;
}

/** A whole number of at least `least`. */
export function integer(text: string, option: string, least = 1): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < least) {
    throw new UsageError(`--${option}: expected a whole number of at least ${least}, got "${text}"`);
  }
  return value;
}

/** Names out of a closed list, separated by commas. */
export function choices<N extends string>(text: string, option: string, known: readonly N[]): N[] {
  return text.split(",").map((name) => {
    const found = known.find((each) => each === name.trim());
    if (found === undefined) throw new UsageError(`--${option}: expected some of ${known.join(", ")}, got "${name}"`);
    return found;
  });
}
