/** Programs that tests start, and that end with them. */
import { type ChildProcess, spawn, type SpawnOptions } from "node:child_process";
import { once } from "node:events";

export interface Child {
  readonly process: ChildProcess;
  /** Resolves when it has ended, of itself or not. */
  readonly exited: Promise<unknown>;
  end(): Promise<void>;
}

export function startChild(file: string, args: readonly string[], options: SpawnOptions): Child {
  const child = spawn(file, args, options);
  const kill = (): void => void child.kill();
  // A browser outlives whoever started it, if nobody minds.
  process.once("exit", kill);
  const exited = once(child, "exit").finally(() => process.off("exit", kill));
  return {
    process: child,
    exited,
    async end() {
      kill();
      await exited;
    },
  };
}
