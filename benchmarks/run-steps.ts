/** Training steps under one session in this process, for the benchmarks that let modes take turns. */
import type { IterationResult, PlanSummary } from "../src/report/result.ts";
import type { TensorFlow } from "../src/runtime/engine.ts";
import { virtualize } from "../src/platforms/node.ts";
import { collectGarbage } from "./harness.ts";
import type { SessionSettings } from "./trial.ts";
import type { Training } from "./workloads.ts";

export interface Rounds {
  readonly rounds: number;
  readonly steps: number;
  readonly warmup: number;
}

export interface Ran {
  /** Wall time of each measured step. */
  readonly ms: number[];
  /** What the session said of each; empty without one. */
  readonly iterations: IterationResult[];
  /** The plan that was followed last; null without one. */
  readonly plan: PlanSummary | null;
}

/** The first `warmup` steps are not part of the answer. @param settings null: stock TensorFlow.js, without any session */
export async function runSteps(
  tf: TensorFlow,
  training: Training,
  settings: SessionSettings | null,
  { steps, warmup }: Pick<Rounds, "steps" | "warmup">,
): Promise<Ran> {
  collectGarbage();
  const ms: number[] = [];
  const iterations: IterationResult[] = [];
  const onIteration = (iteration: IterationResult): void => {
    if (iteration.index >= warmup) iterations.push(iteration);
  };
  const session = settings === null ? null : await virtualize(tf, { ...settings, onIteration });
  try {
    for (let step = -warmup; step < steps; step++) {
      const start = performance.now();
      await training.step();
      if (step >= 0) ms.push(performance.now() - start);
    }
    // The report closes the last iteration.
    const plan = session?.report().plans[0] ?? null;
    return { ms, iterations, plan };
  } finally {
    await session?.dispose();
  }
}
