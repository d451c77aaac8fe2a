/** Where a system has a browser; and its absence as a normal answer. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";

export interface Program {
  /** As people call it. */
  readonly name: string;
  /** The environment variable that names its file. */
  readonly variable: string;
  /** Where systems put it. */
  readonly paths: readonly string[];
  /** What `PATH` may have it under. */
  readonly names: readonly string[];
  /** Debian's package. */
  readonly package: string;
}

/** Path of the program: what the variable names, else where systems put it, else what PATH finds; undefined if there is none. */
export function findProgram({ variable, paths, names }: Program): string | undefined {
  const named = process.env[variable];
  if (named !== undefined) return existsSync(named) ? named : undefined;
  return paths.find((path) => existsSync(path)) ?? findOnPath(names);
}

/** Why there is none here; undefined if there is one. */
export function whyNoProgram(program: Program): string | undefined {
  if (findProgram(program) !== undefined) return undefined;
  const { name, variable } = program;
  const named = process.env[variable];
  const why =
    named === undefined
      ? `no ${name} found; install one (\`apt-get install ${program.package}\`) or set ${variable}`
      : `${variable} names ${named}, which does not exist`;
  // Reporters leave out the names of tests that did not run.
  console.warn(`tests in a browser are skipped: ${why}`);
  return why;
}

export function findOnPath(names: readonly string[]): string | undefined {
  for (const name of names) {
    try {
      return execFileSync("which", [name], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
    } catch {
      // `which` says by its exit code that there is none.
    }
  }
  return undefined;
}
