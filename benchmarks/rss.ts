/**
 * What is the resident set of the whole process? Node.js, TensorFlow and all, as the kernel counts it (VmHWM), in one process
 * per trial: a deep chain under stock TensorFlow.js, and under vdnn with small budgets for device and host and a spill file.
 */
import { formatBytes } from "../src/units.ts";
import { type Environment, environment, type Outcome, progress, publish, runAsProgram, type Table } from "./harness.ts";
import { backendOption, choices, integer, readOptions } from "./options.ts";
import { failureKind, runTrial, sameBits, type SessionSettings, type TrialResult } from "./trial.ts";
import { describeWorkload, workload as workloadOf, type Workload } from "./workloads.ts";

const QUESTION = "What is the resident set of the whole process?";
const MODES = ["stock", "vdnn-all", "vdnn-dyn"] as const;
/** oneDNN's own allocator keeps what it once had; the system's gives it back. */
const ALLOCATORS = ["system", "default"] as const;
export type Allocator = (typeof ALLOCATORS)[number];

const OPTIONS = {
  depth: { default: "400", help: "convolutions of the chain" },
  batch: { default: "32", help: "batch size" },
  steps: { default: "3", help: "training steps" },
  device: { default: "96MiB", help: "device budget of the vdnn modes" },
  host: { default: "96MiB", help: "host memory of the vdnn modes; the rest spills" },
  spill: { default: "", help: "directory of the spill file; none: the system's temporary directory" },
  modes: { default: MODES.join(","), help: "modes to run" },
  allocators: { default: ALLOCATORS.join(","), help: "system: TF_ONEDNN_USE_SYSTEM_ALLOCATOR=true; default: without" },
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
        `${device} of device memory, ${host} of host memory and a spill file. Allocator: system is ` +
        "TF_ONEDNN_USE_SYSTEM_ALLOCATOR=true. Before: with model and data, untrained.",
      header: ["mode", "allocator", "before", "highest", "ledger's peak", "same bits"],
      rows: rows.map(({ mode, allocator, outcome, identical }) =>
        outcome.ok
          ? [
              mode,
              allocator,
              formatBytes(outcome.value.beforeTrainingRssBytes),
              formatBytes(outcome.value.peakRssBytes),
              outcome.value.report === null ? "" : formatBytes(outcome.value.report.peakDeviceBytes),
              identical ? "yes" : "NO",
            ]
          : [mode, allocator, failureKind(outcome.reason), "", "", ""],
      ),
    },
  ];
}

await runAsProgram(import.meta.url, async () => {
  const options = readOptions(QUESTION, OPTIONS);
  const backend = backendOption(options.backend);
  const steps = integer(options.steps, "steps");
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
      const env = { TF_ONEDNN_USE_SYSTEM_ALLOCATOR: allocator === "system" ? "true" : "false" };
      const outcome = await runTrial({ backend, workload, steps, session }, env);
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
