/**
 * Does it train where stock TensorFlow.js runs out of memory? TensorFlow's own allocator is capped at N MiB, with the allocator
 * that it uses on GPUs (`TF_CPU_ALLOCATOR_USE_BFC`). Stock must fail under the cap with TensorFlow's own error and train without
 * it; vdnn must train under the cap, to the same bits. The ledger does not see the scratch memory of convolutions nor what the
 * allocator loses to fragmentation, so the device budget stays below the cap: the least headroom that works is looked for.
 * One process per trial; an allocation that fails waits 10 s first.
 */
import { cappedAllocator } from "../src/commands/trial-process.ts";
import { formatBytes, MIB } from "../src/units.ts";
import { type Environment, environment, type Outcome, progress, publish, runAsProgram, type Table } from "./harness.ts";
import { integer, readOptions } from "./options.ts";
import { failureKind, runTrial, sameBits, type SessionSettings, type TrialResult } from "./trial.ts";
import { describeWorkload, workload as workloadOf, type Workload } from "./workloads.ts";

const QUESTION = "Does it train where stock TensorFlow.js runs out of memory?";

const OPTIONS = {
  depth: { default: "400", help: "convolutions of the chain" },
  batch: { default: "32", help: "batch size" },
  steps: { default: "3", help: "training steps" },
  limit: { default: "256", help: "cap on TensorFlow's allocator, MiB" },
  headroom: { default: "16,32,64,96,128,160,192", help: "MiB to leave below the cap, tried in this order" },
  policy: { default: "vdnn-dyn", help: "policy of the vdnn trials" },
};

export interface LimitTrial {
  readonly name: string;
  readonly limitBytes: number | null;
  readonly headroomBytes: number | null;
  readonly session: SessionSettings | null;
  readonly outcome: Outcome<TrialResult>;
  /** Losses and weights have the bits of stock without a cap. */
  readonly identical: boolean;
}

export interface LimitResult {
  readonly schema: "vdnn-bench-limit/1";
  readonly question: string;
  readonly environment: Environment;
  readonly workload: Workload;
  readonly steps: number;
  readonly trials: readonly LimitTrial[];
  /** Stock fails under the cap and trains without it, and vdnn trains under it to the same bits. */
  readonly answer: boolean;
}

export function limitTables({ workload, steps, trials }: LimitResult): Table[] {
  return [
    {
      caption:
        `${describeWorkload(workload)}, ${steps} steps, measured, with TensorFlow's allocator capped ` +
        "(TF_CPU_ALLOCATOR_USE_BFC=1, TF_CPU_BFC_MEM_LIMIT_IN_MB). Headroom: the cap less vdnn's device budget, for what the " +
        "ledger does not see (convolutions' scratch memory, fragmentation).",
      header: ["", "cap", "device budget", "headroom", "ledger's peak", "trains", "same bits"],
      rows: trials.map(({ name, limitBytes, headroomBytes, session, outcome, identical }) => [
        name,
        limitBytes === null ? "none" : formatBytes(limitBytes),
        session?.deviceMemory === undefined ? "" : formatBytes(Number(session.deviceMemory)),
        headroomBytes === null ? "" : formatBytes(headroomBytes),
        outcome.ok && outcome.value.report !== null ? formatBytes(outcome.value.report.peakDeviceBytes) : "",
        outcome.ok ? "yes" : `no: ${failureKind(outcome.reason)}`,
        outcome.ok ? (identical ? "yes" : "NO") : "",
      ]),
    },
  ];
}

await runAsProgram(import.meta.url, async () => {
  const options = readOptions(QUESTION, OPTIONS);
  if (options.backend !== "tensorflow") throw new Error("only the tensorflow backend's memory can be capped");
  const limitMib = integer(options.limit, "limit");
  const steps = integer(options.steps, "steps");
  const workload = workloadOf("chain", options);
  const trials: LimitTrial[] = [];
  const run = async (name: string, capped: boolean, headroomMib: number | null): Promise<LimitTrial> => {
    progress(
      `${describeWorkload(workload)}: ${name}${headroomMib === null ? "" : `, ${headroomMib} MiB below the cap`}`,
    );
    const session =
      headroomMib === null ? null : { policy: options.policy, deviceMemory: (limitMib - headroomMib) * MIB };
    const env = capped ? cappedAllocator(limitMib * MIB) : {};
    const outcome = await runTrial({ backend: "tensorflow", workload, steps, session }, env);
    const reference = trials[0]?.outcome ?? outcome;
    const trial: LimitTrial = {
      name,
      limitBytes: capped ? limitMib * MIB : null,
      headroomBytes: headroomMib === null ? null : headroomMib * MIB,
      session,
      outcome,
      identical: outcome.ok && reference.ok && sameBits(outcome.value, reference.value),
    };
    trials.push(trial);
    return trial;
  };
  const free = await run("stock", false, null);
  const capped = await run("stock", true, null);
  const headrooms = options.headroom.split(",").map((text) => integer(text, "headroom", 0));
  let virtualized: LimitTrial | null = null;
  for (const headroom of headrooms.filter((mib) => mib < limitMib)) {
    virtualized = await run("vdnn", true, headroom);
    if (virtualized.outcome.ok) break;
  }
  const oom = !capped.outcome.ok && /OOM|SIG|exit code 1[23]\d/.test(capped.outcome.reason);
  const result: LimitResult = {
    schema: "vdnn-bench-limit/1",
    question: QUESTION,
    environment: environment(free.outcome.ok ? free.outcome.value.runtime : null),
    workload,
    steps,
    trials,
    answer: free.outcome.ok && oom && virtualized?.identical === true,
  };
  publish(options.json, result, limitTables(result));
  process.stdout.write(`\n${QUESTION} ${result.answer ? "Yes." : "No."}\n`);
});
