/** What all benchmarks share: statistics, the environment, trials in child processes, the result file and the table. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import * as os from "node:os";
import * as path from "node:path";
import { pathToFileURL } from "node:url";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { BackendName, LoadedBackend } from "../src/backends/load.ts";
import { hasCode } from "../src/errors.ts";
import { UsageError } from "./options.ts";

export const ROOT = path.dirname(import.meta.dirname);
const require = createRequire(import.meta.url);

/** All numbers behind a figure, and the figure. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** (third quartile - first quartile) / median: how far repeated runs lie apart. */
  readonly spread: number;
  readonly samples: readonly number[];
}

export function summarize(samples: readonly number[]): Summary {
  const sorted = samples.toSorted((a, b) => a - b);
  const middle = quantile(sorted, 0.5);
  const spread = middle === 0 ? 0 : (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / middle;
  return { median: middle, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN, spread, samples };
}

export function median(samples: readonly number[]): number {
  return quantile(
    samples.toSorted((a, b) => a - b),
    0.5,
  );
}

/** Linear between the two nearest samples. */
function quantile(sorted: readonly number[], q: number): number {
  const at = (sorted.length - 1) * q;
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}

/**
 * Every mode once per round, so that a slow minute of the machine hits all of them. Each round starts with another mode, so
 * that none always runs in the wake of the same one.
 */
export async function interleave<M>(
  modes: readonly M[],
  rounds: number,
  run: (mode: M, round: number) => Promise<void>,
): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < modes.length; i++) await run(modes[(i + round) % modes.length] as M, round);
  }
}

/** What one mode leaves behind must not slow down the next. */
export const collectGarbage: () => void = (() => {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
})();

/** The TensorFlow.js that a trial ran on. */
export interface Runtime {
  readonly backend: BackendName;
  readonly packageName: string;
  readonly packageVersion: string;
  readonly tensorflowVersion: string | null;
}

export function runtimeOf({ backend, packageName, tensorflowVersion }: LoadedBackend): Runtime {
  const { version } = require(`${packageName}/package.json`) as { version: string };
  return { backend, packageName, packageVersion: version, tensorflowVersion: tensorflowVersion ?? null };
}

export interface Environment {
  readonly date: string;
  readonly commit: string;
  readonly node: string;
  readonly platform: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly runtime: Runtime | null;
  readonly vdnn: string;
  /** 1, 5 and 15 minutes. */
  readonly loadAverageStart: readonly number[];
  readonly loadAverageEnd: readonly number[];
  /** Variables that change how TensorFlow uses memory and threads. */
  readonly variables: Readonly<Record<string, string>>;
}

const startLoad = os.loadavg();

/** To be taken at the end. */
export function environment(runtime: Runtime | null): Environment {
  const variables = Object.entries(process.env).filter(([name]) => /^(TF|OMP|UV|MALLOC|CUDA)_/.test(name));
  const { version } = JSON.parse(readFileSync(path.join(ROOT, "package.json"), "utf8")) as { version: string };
  return {
    date: new Date().toISOString(),
    commit: commit(),
    node: process.version,
    platform: `${os.type()} ${os.release()} ${process.arch}`,
    cpu: os.cpus()[0]?.model ?? "unknown",
    cores: os.availableParallelism(),
    memoryBytes: os.totalmem(),
    runtime,
    vdnn: version,
    loadAverageStart: startLoad,
    loadAverageEnd: os.loadavg(),
    variables: Object.fromEntries(variables as [string, string][]),
  };
}

function git(...args: string[]): string {
  return execFileSync("git", args, { cwd: ROOT, encoding: "utf8" }).trim();
}

/** `+` behind the hash: the sources differ from that commit. */
function commit(): string {
  try {
    return git("rev-parse", "HEAD") + (git("status", "--porcelain", "--", "src") === "" ? "" : "+");
  } catch {
    return "unknown";
  }
}

export type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string };

/**
 * Runs one of the benchmarks' programs in a process of its own. The last line of its standard output is the answer, as JSON.
 */
export async function runChild<T>(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome<T>> {
  const { failure, output } = await runProgram(program, args, env);
  if (failure !== null) return { ok: false, reason: failure };
  return { ok: true, value: JSON.parse(output.trimEnd().split("\n").at(-1) ?? "") as T };
}

/**
 * A benchmark that is stopped must not leave a child behind that keeps the machine busy.
 *
 * @returns to be called when the child has ended
 */
export function takeAlong(child: ChildProcess): () => void {
  const signals = ["SIGINT", "SIGTERM"] as const;
  const onSignal = (signal: NodeJS.Signals): void => {
    child.kill();
    process.exit(signal === "SIGINT" ? 130 : 143);
  };
  for (const signal of signals) process.once(signal, onSignal);
  return () => {
    for (const signal of signals) process.removeListener(signal, onSignal);
  };
}

export async function runProgram(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly failure: string | null; readonly output: string }> {
  const file = path.join(import.meta.dirname, program);
  const child = spawn(process.execPath, ["--import", "tsx", file, ...args], {
    cwd: ROOT,
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: "2", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const letGo = takeAlong(child);
  let output = "";
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors = (errors + text).slice(-20_000)));
  const end = await new Promise<string | null>((resolve) => {
    child.on("error", ({ message }) => resolve(message));
    child.on("close", (code, signal) =>
      resolve(code === 0 ? null : `ended by ${signal ?? `exit code ${String(code)}`}`),
    );
  });
  letGo();
  // A thrown error's message may have several lines, and ends where its stack begins.
  const said = /^\w*Error\b[^]*?(?=\n {4}at )/m.exec(errors)?.[0].replaceAll("\n", " ");
  const failure = end === null || said === undefined ? end : `${said.slice(0, 400)} (${end})`;
  return { failure, output };
}

export interface Table {
  /** Says "measured", on what, and what the columns mean. */
  readonly caption: string;
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** The table on standard output, the document in the file. */
export function publish(file: string, document: object, tables: readonly Table[]): void {
  for (const table of tables) process.stdout.write(`\n${renderText(table)}\n`);
  if (file === "") return;
  mkdirSync(path.dirname(path.resolve(file)), { recursive: true });
  writeFileSync(file, `${JSON.stringify(document, null, 1)}\n`);
}

function renderText({ caption, header, rows }: Table): string {
  const lines = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? "").length)));
  const pad = (line: readonly string[]): string =>
    line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join("  ");
  return `${caption}\n\n${lines.map(pad).join("\n")}`;
}

export function progress(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Runs `main` when its file is the program, not when another file imports it. */
export async function runAsProgram(url: string, main: () => Promise<void>): Promise<void> {
  if (process.argv[1] === undefined || pathToFileURL(process.argv[1]).href !== url) return;
  try {
    await main();
  } catch (error) {
    const isBadInput = hasCode(error, "ERR_INVALID_OPTION") || hasCode(error, "ERR_INVALID_DATA");
    if (!(error instanceof UsageError || isBadInput)) throw error;
    progress(error.message);
    process.exitCode = 2;
  }
}
