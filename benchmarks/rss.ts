/**
 * What is the resident set of the whole process? Node.js, TensorFlow and all, as the kernel counts it (VmHWM), in one process
 * per trial: a deep chain under stock TensorFlow.js, and under vdnn with small budgets for device and host and a spill file.
 */
import { RETURN_MEMORY } from "../src/commands/return-memory.ts";
import { formatBytes } from "../src/units.ts";
import {
  type Environment,
  environment,
  median,
  type Outcome,
  progress,
  publish,
  runAsProgram,
  type Table,
} from "./harness.ts";
import { backendOption, choices, integer, readOptions } from "./options.ts";
import { failureKind, runTrial, sameBits, type SessionSettings, type TrialResult } from "./trial.ts";
import { describeWorkload, workload as workloadOf, type Workload } from "./workloads.ts";

const QUESTION = "What is the resident set of the whole process?";
const MODES = ["stock", "vdnn-all", "vdnn-dyn"] as const;
const ALLOCATORS = ["default", "returning"] as const;
export type Allocator = (typeof ALLOCATORS)[number];
/** Returning is what `vdnn run --return-memory` sets. */
const VARIABLES: Readonly<Record<Allocator, Readonly<Record<string, string>>>> = {
  default: {},
  returning: RETURN_MEMORY,
};
const RETURNING = Object.entries(RETURN_MEMORY)
  .map(([name, value]) => `${name}=${value}`)
  .join(" ");

const OPTIONS = {
  depth: { default: "400", help: "convolutions of the chain" },
  batch: { default: "32", help: "batch size" },
  steps: { default: "3", help: "training steps, 2 or more" },
  device: { default: "64MiB", help: "device budget of the vdnn modes" },
  host: { default: "32MiB", help: "host memory of the vdnn modes; the rest spills" },
  spill: { default: "", help: "directory of the spill file; none: the system's temporary directory" },
  modes: { default: MODES.join(","), help: "modes to run" },
  allocators: { default: ALLOCATORS.join(","), help: `default: as the system has it; returning: ${RETURNING}` },
};

export interface RssRow {
  readonly mode: (typeof MODES)[number];
  readonly allocator: Allocator;
  readonly session: SessionSettings | null;
  readonly outcome: Outcome<TrialResult>;
  /** Losses and weights have the bits of the first stock trial. */
  readonly identical: boolean;
}

export interface RssResult {
  readonly schema: "vdnn-bench-rss/1";
  readonly question: string;
  readonly environment: Environment;
  readonly workload: Workload;
  readonly steps: number;
  readonly device: string;
  readonly host: string;
  readonly rows: readonly RssRow[];
}

export function rssTables({ workload, steps, device, host, rows }: RssResult): Table[] {
  return [
    {
      caption:
        `Resident set of the whole process, measured (VmHWM), over ${steps} steps of ${describeWorkload(workload)}; vdnn with ` +
        `${device} of device memory, ${host} of host memory and a spill file. Allocator: default is glibc as it is, returning is ` +
        `${RETURNING} (vdnn run --return-memory), with which freed buffers of 1 MiB and more leave the process at once. Before: ` +
        "with model and data, untrained. Step: median without the first.",
      header: ["mode", "allocator", "before", "highest", "ledger's peak", "step s", "same bits"],
      rows: rows.map(({ mode, allocator, outcome, identical }) =>
        outcome.ok
          ? [
              mode,
              allocator,
              formatBytes(outcome.value.beforeTrainingRssBytes),
              formatBytes(outcome.value.peakRssBytes),
              outcome.value.report === null ? "" : formatBytes(outcome.value.report.peakDeviceBytes),
              (median(outcome.value.stepMs.slice(1)) / 1000).toFixed(1),
              identical ? "yes" : "NO",
            ]
          : [mode, allocator, failureKind(outcome.reason), "", "", "", ""],
      ),
    },
  ];
}

await runAsProgram(import.meta.url, async () => {
  const options = readOptions(QUESTION, OPTIONS);
  const backend = backendOption(options.backend);
  const steps = integer(options.steps, "steps", 2);
  const workload = workloadOf("chain", options);
  const modes = choices(options.modes, "modes", MODES);
  const spill = options.spill === "" ? true : options.spill;
  const budgets = { deviceMemory: options.device, hostMemory: options.host, spill };
  const rows: RssRow[] = [];
  let stock: TrialResult | null = null;
  for (const allocator of choices(options.allocators, "allocators", ALLOCATORS)) {
    for (const mode of modes) {
      progress(`${describeWorkload(workload)}: ${mode}, ${allocator} allocator`);
      const session = mode === "stock" ? null : { ...budgets, policy: mode };
      const outcome = await runTrial({ backend, workload, steps, session }, VARIABLES[allocator]);
      if (mode === "stock" && outcome.ok) stock ??= outcome.value;
      const identical = outcome.ok && stock !== null && sameBits(outcome.value, stock);
      rows.push({ mode, allocator, session, outcome, identical });
    }
  }
  const ran = rows.flatMap(({ outcome }) => (outcome.ok ? [outcome.value.runtime] : []));
  const result: RssResult = {
    schema: "vdnn-bench-rss/1",
    question: QUESTION,
    environment: environment(ran[0] ?? null),
    workload,
    steps,
    device: options.device,
    host: options.host,
    rows,
  };
  publish(options.json, result, rssTables(result));
});
