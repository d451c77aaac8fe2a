/**
 * Gives a test run a temporary directory of its own, which every process of the run inherits as TMPDIR and which goes with the run. A
 * run that leaves something of vdnn in it fails: what tests and commands make, they remove.
 */
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Directories of runs, with the number of their process. */
const PREFIX = "vdnn-test-";
/** What others leave (browsers, compilers' caches) is none of our names. */
const OURS = /^vdnn/;

export default function setup(): () => void {
  const system = tmpdir();
  removeThoseOfTheDead(system);
  const own = join(system, `${PREFIX}${process.pid}`);
  // In containers the next run often has the number of the one that was killed.
  rmSync(own, { recursive: true, force: true });
  mkdirSync(own);
  process.env["TMPDIR"] = own;
  return () => {
    const left = readdirSync(own).filter((name) => OURS.test(name));
    rmSync(own, { recursive: true, force: true, maxRetries: 5 });
    if (left.length === 0) return;
    console.error(`The tests have left in the temporary directory: ${left.join(", ")}`);
    // An error that is thrown here is printed and counts for nothing.
    process.exitCode = 1;
  };
}

/** Runs that were killed could not remove theirs. */
function removeThoseOfTheDead(system: string): void {
  for (const name of readdirSync(system)) {
    const pid = name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length)) : Number.NaN;
    if (Number.isInteger(pid) && pid > 0 && !isAlive(pid)) removeIfOurs(join(system, name));
  }
}

function removeIfOurs(directory: string): void {
  try {
    rmSync(directory, { recursive: true, force: true });
  } catch {
    // Another user's, on a machine that several use.
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // A process of another user's is alive as well.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
