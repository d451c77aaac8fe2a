/**
 * What does virtualization cost in time? All modes in one process, in turn, round by round; a mode's ratio is its step time over
 * that of stock TensorFlow.js in the same round. In each round a mode gets a session of its own: unmeasured steps, which
 * record and make the plan, then measured ones, then the session ends. Stock runs without any session.
 */
import { type BackendName, loadTensorFlow } from "../src/backends/load.ts";
import { VdnnError } from "../src/errors.ts";
import type { IterationResult } from "../src/report/result.ts";
import type { TensorFlow } from "../src/runtime/engine.ts";
import { environment, interleave, median, progress, publish, runAsProgram, runtimeOf, summarize } from "./harness.ts";
import { backendOption, choices, integer, readOptions } from "./options.ts";
import { type Rounds, runSteps } from "./run-steps.ts";
import {
  SPEED_MODES,
  type SpeedMode,
  type SpeedNet,
  type SpeedResult,
  type SpeedRow,
  speedTables,
} from "./speed-result.ts";
import type { SessionSettings } from "./trial.ts";
import { describeWorkload, openTraining, readWorkloads, type Workload, WORKLOAD_OPTIONS } from "./workloads.ts";

const QUESTION = "What does virtualization cost in time?";

const OPTIONS = {
  ...WORKLOAD_OPTIONS,
  modes: { default: SPEED_MODES.slice(0, 5).join(","), help: `some of ${SPEED_MODES.join(", ")}` },
  rounds: { default: "7", help: "rounds, each with every mode" },
  steps: { default: "2", help: "measured steps per mode and round" },
  warmup: {
    default: "3",
    help: "unmeasured steps before them: one records, one is timed and planned, one collects what planning left",
  },
  "budget-percent": { default: "25", help: "device budget of mode budget (auto), of the stock peak" },
  "host-percent": { default: "25", help: "host memory of mode offload-disk, of the bytes that an iteration offloads" },
  spill: { default: "", help: "directory of the spill file; none: the system's temporary directory" },
};

interface Samples {
  readonly stepMs: number[];
  readonly roundMs: number[];
  readonly iterations: IterationResult[];
  failure: string | null;
}

async function measureNet(
  tf: TensorFlow,
  workload: Workload,
  modes: readonly SpeedMode[],
  plan: Rounds & { readonly budgetPercent: number; readonly hostPercent: number; readonly spill: string | true },
): Promise<SpeedNet> {
  const training = openTraining(tf, workload);
  const once = { steps: 1, warmup: 1 };
  // The figures that the budgets derive from, and the warm-up of the process.
  const [stock] = (await runSteps(tf, training, { policy: "none" }, once)).iterations;
  const [lean] = (await runSteps(tf, training, { policy: "liveness" }, once)).iterations;
  const [moved] = (await runSteps(tf, training, { policy: "vdnn-all" }, once)).iterations;
  const stockPeakBytes = stock?.peakDeviceBytes ?? 0;
  const livenessPeakBytes = lean?.peakDeviceBytes ?? 0;
  const offloadPeakBytes = moved?.peakDeviceBytes ?? 0;
  const hostMemory = Math.floor(((moved?.offloadBytes ?? 0) * plan.hostPercent) / 100);
  const settings: Readonly<Record<SpeedMode, SessionSettings>> = {
    liveness: { policy: "liveness" },
    budget: { policy: "auto", deviceMemory: Math.floor((stockPeakBytes * plan.budgetPercent) / 100) },
    half: { policy: "auto", deviceMemory: Math.floor((livenessPeakBytes + offloadPeakBytes) / 2) },
    "offload-ram": { policy: "vdnn-all" },
    "offload-disk": { policy: "vdnn-all", hostMemory, spill: plan.spill },
    checkpoint: { policy: "checkpoint" },
  };
  const all = ["stock", ...modes] as const;
  const samples = new Map(
    all.map((mode): [typeof mode, Samples] => [mode, { stepMs: [], roundMs: [], iterations: [], failure: null }]),
  );
  const sampleOf = (mode: (typeof all)[number]): Samples => samples.get(mode) as Samples;
  await interleave(all, plan.rounds, async (mode, round) => {
    const into = sampleOf(mode);
    if (into.failure !== null) return;
    try {
      const { ms, iterations } = await runSteps(tf, training, mode === "stock" ? null : settings[mode], plan);
      into.stepMs.push(...ms);
      into.roundMs.push(median(ms));
      into.iterations.push(...iterations);
    } catch (error) {
      if (!(error instanceof VdnnError)) throw error;
      into.failure = error.message;
    }
    const said = into.failure ?? `${into.roundMs.at(-1)?.toFixed(1)} ms`;
    progress(`${describeWorkload(workload)}: round ${round + 1} of ${plan.rounds}, ${mode} ${said}`);
  });
  training.dispose();
  const { roundMs: stockMs, stepMs: stockSteps } = sampleOf("stock");
  const rows = all.map((mode): SpeedRow => {
    const { stepMs, roundMs, iterations, failure } = sampleOf(mode);
    return {
      mode,
      session: mode === "stock" ? null : settings[mode],
      stepMs: summarize(stepMs),
      ratio: summarize(roundMs.map((ms, round) => ms / (stockMs[round] ?? Number.NaN))),
      ratioOfMins: Math.min(...stepMs) / Math.min(...stockSteps),
      iterations,
      failure,
    };
  });
  return { workload, stockPeakBytes, livenessPeakBytes, offloadPeakBytes, rows };
}

await runAsProgram(import.meta.url, async () => {
  const options = readOptions(QUESTION, OPTIONS);
  const backend: BackendName = backendOption(options.backend);
  const counts = {
    rounds: integer(options.rounds, "rounds"),
    steps: integer(options.steps, "steps"),
    warmup: integer(options.warmup, "warmup"),
    budgetPercent: integer(options["budget-percent"], "budget-percent"),
    hostPercent: integer(options["host-percent"], "host-percent"),
  };
  const modes = choices(options.modes, "modes", SPEED_MODES);
  const workloads = readWorkloads(options);
  const loaded = await loadTensorFlow(backend);
  const nets: SpeedNet[] = [];
  for (const workload of workloads) {
    const spill = options.spill === "" ? true : options.spill;
    nets.push(await measureNet(loaded.tf, workload, modes, { ...counts, spill }));
  }
  const result: SpeedResult = {
    schema: "vdnn-bench-speed/1",
    question: QUESTION,
    environment: environment(runtimeOf(loaded)),
    ...counts,
    nets,
  };
  publish(options.json, result, speedTables(result));
});
