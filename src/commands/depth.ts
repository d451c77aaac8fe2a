/**
 * `vdnn depth`: the deepest network, or the largest batch, that trains under a budget, for every policy: the question that the
 * vDNN paper answers with VGG-416. By real runs, each in a process of its own, or by plans for a simulated GPU.
 */
import { VdnnError } from "../errors.ts";
import type { NetworkOptions } from "../networks/network.ts";
import { writeReport } from "../report/file.ts";
import { simulatedMachine } from "../simulator/machines.ts";
import { networkNamed } from "../simulator/networks.ts";
import { formatBytes, formatMs } from "../units.ts";
import type { DepthFlags } from "./depth-options.ts";
import { depthPage } from "./depth-page.ts";
import { sizesOf } from "./depth-sizes.ts";
import { depthJson, type DepthFacts, type DepthRow, renderDepth } from "./depth-table.ts";
import { type DepthTrials, realTrials, simulatedTrials, type SizedOutcome, type Subject } from "./depth-trials.ts";
import { findLargest } from "./largest.ts";
import { reportFile } from "./options.ts";
import { PLANNED_POLICIES, policiesNamed, RUN_POLICIES } from "./policy-names.ts";
import { tellSoftware } from "./software-adapter.ts";
import { createProgress, type Progress } from "./progress.ts";

const DEFAULT_BATCH = 32;
const DEFAULT_GPU = "titan-x";
/** Plans are quick and repeatable, so more than one size behind the answer is looked at. */
const SIMULATED_LOOK_AHEAD = 3;

/** Sizes for a software adapter. */
const SMALL = "--width 8 --image-size 16 --batch 4 --steps 2 --max 16 --device-memory 512KiB --policy auto";

/**
 * Searches, prints, and returns the exit code: 1 where a crash or a timeout stands where a verdict should, 3 where nothing trains
 * at any size.
 */
export async function depth(flags: DepthFlags): Promise<number> {
  const simulated = flags.simulate === true;
  checkFlags(flags);
  const policies = policiesNamed(flags.policy, simulated ? PLANNED_POLICIES : RUN_POLICIES);
  const report = reportFile(flags);
  const subject = subjectOf(flags);
  const { network, search: searched, max, step: every } = flags;
  const sizes = sizesOf({ network, searched, max, every });
  const { trials, ...machine } = simulated ? await simulation(flags, subject) : await realRuns(flags, subject);
  const progress = createProgress();
  const rows: DepthRow[] = [];
  try {
    for (const policy of policies) rows.push(await search(policy, trials, sizes, flags, progress));
  } finally {
    progress.clear();
  }
  const facts: DepthFacts = {
    subject,
    sizes,
    every,
    simulated,
    headrooms: flags.headroom,
    steps: flags.steps,
    ...machine,
  };
  if (report !== undefined) {
    writeReport(report, { json: () => depthJson(facts, rows), page: () => depthPage(facts, rows) });
  }
  process.stdout.write(flags.json === true ? depthJson(facts, rows) : renderDepth(facts, rows));
  if (rows.some(({ verdict }) => verdict === "inconclusive")) return 1;
  return rows.every(({ largest }) => largest === null) ? 3 : 0;
}

async function search(
  policy: string,
  trials: DepthTrials,
  sizes: readonly number[],
  { start, search: searched }: DepthFlags,
  progress: Progress,
): Promise<DepthRow> {
  const sizeAt = (rung: number): number => sizes[rung] ?? Number.NaN;
  const facts = new Map<number, SizedOutcome["facts"]>();
  let title = "";
  const found = await findLargest(
    async (rung) => {
      const outcome = await trials.trial(policy, sizeAt(rung), ({ index, wallMs }) =>
        progress.show(`${title}  step ${index + 1}  ${formatMs(wallMs)}`),
      );
      if (outcome.facts !== undefined) facts.set(rung, outcome.facts);
      return outcome;
    },
    {
      count: sizes.length,
      start: Math.max(0, start === undefined ? 0 : sizes.findLastIndex((size) => size <= start)),
      deterministic: trials.deterministic,
      lookAhead: trials.deterministic ? SIMULATED_LOOK_AHEAD : 1,
      onTrial: (rung, { trains, fails }) => {
        const known = `${trains < 0 ? "" : `${sizeAt(trains)} trains`}${fails >= sizes.length ? "" : `, ${sizeAt(fails)} does not`}`;
        title = `${policy}: ${searched} ${sizeAt(rung)}  ${known.replace(/^, /, "")}`;
        progress.show(title);
      },
    },
  );
  return {
    policy,
    largest: found.rung < 0 ? null : sizeAt(found.rung),
    verdict: found.verdict,
    nextSize: sizes[found.rung + 1] ?? null,
    next: found.next,
    stepMs: facts.get(found.rung)?.stepMs ?? null,
    peakDeviceBytes: facts.get(found.rung)?.peakDeviceBytes ?? null,
    headroom: facts.get(found.rung)?.headroom ?? null,
    trials: found.trials.map(({ rung, outcome }) => ({
      size: sizeAt(rung),
      outcome: outcome.kind,
      ...(outcome.kind === "trains" ? {} : { reason: outcome.reason }),
    })),
  };
}

function checkFlags(flags: DepthFlags): void {
  const { search: searched, simulate, deviceMemory } = flags;
  const usage = (option: string, text: string): never => {
    throw new VdnnError("ERR_INVALID_OPTION", `--${option}: ${text}`, { option });
  };
  if (flags[searched] !== undefined) {
    usage(searched, `it is what --search ${searched} looks for; bound it by --start and --max instead`);
  }
  if (simulate === true) return;
  for (const option of ["gpu", "link"] as const) {
    if (flags[option] !== undefined) usage(option, "needs --simulate; a real run uses what is installed here");
  }
  if (deviceMemory === undefined) usage("device-memory", "needed unless --simulate, such as --device-memory 256MiB");
}

function subjectOf(flags: DepthFlags): Subject {
  const { network, search: searched, depth: layers, batch = DEFAULT_BATCH, optimizer } = flags;
  const { width, imageSize, sequenceLength, vocabulary, classes } = flags;
  const sizes: NetworkOptions = { width, imageSize, sequenceLength, vocabulary, classes };
  return { network, searched, depth: layers ?? networkNamed(network).depth, batch, optimizer, sizes };
}

type Machine = Pick<DepthFacts, "machine" | "backend" | "deviceBytes"> & { readonly trials: DepthTrials };

async function simulation(flags: DepthFlags, subject: Subject): Promise<Machine> {
  const machine = simulatedMachine({
    gpu: flags.gpu ?? DEFAULT_GPU,
    link: flags.link,
    deviceBytes: flags.deviceMemory,
    hostBytes: flags.hostMemory,
  });
  if (!["sgd", "momentum", "adam"].includes(subject.optimizer)) {
    throw new VdnnError("ERR_INVALID_OPTION", "--optimizer: the simulator knows sgd, momentum and adam", {
      option: "optimizer",
      got: subject.optimizer,
    });
  }
  const tf = await import("@tensorflow/tfjs");
  const { deviceBytes, gpu, link } = machine;
  const trials = simulatedTrials(tf, machine, subject);
  return { trials, deviceBytes, backend: null, machine: `${gpu.title}, ${link.name} (${link.GBps} GB/s each way)` };
}

async function realRuns(flags: DepthFlags, subject: Subject): Promise<Machine> {
  const { deviceMemory: deviceBytes = 0, hostMemory: hostBytes, steps, headroom: headrooms } = flags;
  const { chooseBackend } = await import("./trial-backend.ts");
  const { backend, adapter } = await chooseBackend(flags.backend);
  tellSoftware(adapter, SMALL);
  const options = { backend, deviceBytes, hostBytes, steps, headrooms, timeoutMs: flags.timeout * 1000 };
  return {
    trials: realTrials(subject, options),
    deviceBytes,
    backend,
    machine: `backend ${backend}, ${formatBytes(deviceBytes)}`,
  };
}
