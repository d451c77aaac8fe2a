/**
 * `vdnn compare`: every policy against stock, network-wide and liveness at a list of budgets: by plans, for a graph from a file or a
 * network on a simulated GPU, or by real runs.
 */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { VdnnError } from "../errors.ts";
import { readGraph } from "../graph/file.ts";
import { isHtml, writeReport } from "../report/file.ts";
import { ENERGY_TABLES, type EnergyTable } from "../simulator/energy-data.ts";
import { simulatedMachine } from "../simulator/machines.ts";
import { findByName } from "../simulator/names.ts";
import { networkGraph, networkNamed } from "../simulator/networks.ts";
import { formatBytes } from "../units.ts";
import { parseBudgets, resolveBudgets } from "./budgets.ts";
import { renderComparisonChart } from "./compare-chart.ts";
import type { CompareFlags } from "./compare-options.ts";
import { comparePlans, graphSource, networkSource, type PlanSource } from "./compare-planned.ts";
import { compareJson, renderComparison } from "./compare-table.ts";
import { comparePage, plannedView, type StepView } from "./compare-page.ts";
import type { Comparison } from "./comparison.ts";
import { outputFile, reportFile } from "./options.ts";
import { PLANNED_POLICIES, policiesNamed, RUN_POLICIES } from "./policy-names.ts";
import { tellSoftware } from "./software-adapter.ts";
import { createProgress, type Progress } from "./progress.ts";

const DEFAULT_GPU = "titan-x";
const LEARNING_RATE = 0.001;
const SEED = 1;
/** Sizes for a software adapter. */
const SMALL =
  "--depth 4 --width 8 --image-size 16 --batch 4 --steps 4 --rounds 1 --budgets 50% --policy vdnn-all --policy auto";

/** Compares, prints, and returns the exit code: 1 where a run crashed or took too long, 3 where nothing fits any budget. */
export async function compare(flags: CompareFlags): Promise<number> {
  checkFlags(flags);
  const asked = parseBudgets(flags.budgets);
  const energy = energyTable(flags.energy);
  const svg = flags.svg === undefined ? undefined : outputFile(flags.svg, "--svg");
  const report = reportFile(flags);
  const views: StepView[] | null = isHtml(report) ? [] : null;
  const progress = createProgress();
  let comparison: Comparison;
  try {
    const inputs = { asked, energy, progress, views };
    comparison = flags.measured === true ? await measured(flags, inputs) : await planned(flags, inputs);
  } finally {
    progress.clear();
  }
  if (svg !== undefined) writeFileSync(svg, renderComparisonChart(comparison));
  if (report !== undefined) {
    writeReport(report, { json: () => compareJson(comparison), page: () => comparePage(comparison, views ?? []) });
  }
  process.stdout.write(flags.json === true ? compareJson(comparison) : renderComparison(comparison));
  const { rows } = comparison;
  if (rows.some(({ outcome, identical }) => outcome === "crash" || outcome === "timeout" || identical === false))
    return 1;
  return rows.some(({ outcome }) => outcome === "trains") ? 0 : 3;
}

interface Inputs {
  readonly asked: ReturnType<typeof parseBudgets>;
  readonly energy: EnergyTable;
  readonly progress: Progress;
  /** Filled where a page is to show them. */
  readonly views: StepView[] | null;
}

async function planned(flags: CompareFlags, { asked, energy, progress, views }: Inputs): Promise<Comparison> {
  const policies = policiesNamed(flags.policy, PLANNED_POLICIES);
  const machine = simulatedMachine({ gpu: flags.gpu ?? DEFAULT_GPU, link: flags.link, hostBytes: flags.hostMemory });
  const { gpu, link } = machine;
  let subject: string;
  let source: PlanSource;
  let machineText = `${gpu.title}, ${link.name} (${link.GBps} GB/s each way)`;
  if (flags.graph === undefined) {
    const { network = "vgg-16", batch, optimizer } = flags;
    networkNamed(network);
    if (optimizer !== "sgd" && optimizer !== "momentum" && optimizer !== "adam") {
      throw usage("optimizer", "the simulator knows sgd, momentum and adam");
    }
    const tf = await import("@tensorflow/tfjs");
    const work = networkGraph(tf, { network, batch, optimizer, sizes: sizesOf(flags) });
    subject = `${network}, batch ${batch}, ${optimizer}: ${work.kernels.length} kernels`;
    source = networkSource(work, machine);
  } else {
    const graph = await readGraph(flags.graph);
    subject = `${graph.name}: ${graph.kernels.length} kernels, with the times in the file`;
    machineText = `copies as on ${machineText}`;
    source = graphSource(graph, machine);
  }
  const reference = source.baselines.find(({ name }) => name === flags.of);
  const budgets = resolveBudgets(asked, reference?.peakDeviceBytes ?? 0);
  const result = comparePlans(source, {
    policies,
    budgets,
    energy,
    onPlan: (policy, { deviceBytes }) => progress.show(`${policy}: ${formatBytes(deviceBytes)}`),
    ...(views === null ? {} : { onPlanned: (made) => views.push(plannedView(made)) }),
  });
  const { oracleMs, baselines } = source;
  return {
    source: "simulated",
    subject,
    machine: machineText,
    energy,
    baselines,
    oracleMs,
    reference: flags.of,
    ...result,
  };
}

async function measured(flags: CompareFlags, { asked, energy, progress, views }: Inputs): Promise<Comparison> {
  const { network = "chain", batch, optimizer, of: reference, steps, rounds } = flags;
  const policies = policiesNamed(flags.policy, RUN_POLICIES);
  const { depth } = networkNamed(network);
  if (reference === "network-wide") throw usage("of", "network-wide is counted, not run; use liveness or stock");
  const [{ measure }, { runTrial }, { chooseBackend }] = await Promise.all([
    import("./compare-measured.ts"),
    import("./trial-process.ts"),
    import("./trial-backend.ts"),
  ]);
  const { backend, adapter } = await chooseBackend(flags.backend);
  tellSoftware(adapter, SMALL);
  const sizes = sizesOf(flags);
  const { failure, ...result } = await measure({
    backend,
    network,
    training: {
      networkOptions: { ...sizes, depth: sizes.depth ?? depth, seed: SEED },
      batchSize: batch,
      steps,
      optimizer,
      learningRate: LEARNING_RATE,
      seed: SEED,
    },
    hostBytes: flags.hostMemory,
    policies,
    asked,
    reference,
    rounds,
    timeoutMs: flags.timeout * 1000,
    energy,
    ...(views === null ? {} : { onStep: (view) => views.push(view) }),
    run: runTrial,
    onRun: (text) => progress.show(text),
  });
  if (failure !== null) {
    throw new VdnnError(
      "ERR_BACKEND",
      `${failure.policy} does not train without a budget, so there is nothing to compare with: ${failure.reason}; ` +
        "lower the batch or the depth, or raise --timeout",
      failure,
    );
  }
  const subject = `${network}${sizes.depth === undefined ? "" : `, depth ${sizes.depth}`}, batch ${batch}, ${optimizer}`;
  const runs = `${rounds === 1 ? "1 round" : `${rounds} interleaved rounds`} of ${steps} steps`;
  return { source: "measured", subject, machine: `backend ${backend}, ${runs}`, backend, energy, reference, ...result };
}

function sizesOf({ depth, width, imageSize, sequenceLength, vocabulary, classes }: CompareFlags) {
  return { depth, width, imageSize, sequenceLength, vocabulary, classes };
}

function checkFlags(flags: CompareFlags): void {
  const { graph, measured: isMeasured } = flags;
  if (graph !== undefined && isMeasured === true) throw usage("measured", "a graph file is not run; leave out --graph");
  const given = (names: readonly (keyof CompareFlags)[]): string | undefined =>
    names.find((name) => flags[name] !== undefined);
  const size = given(["network", "depth", "width", "imageSize", "sequenceLength", "vocabulary", "classes"]);
  if (graph !== undefined && size !== undefined) throw usage(size, "the graph of --graph has its sizes");
  const simulated = given(["gpu", "link"]);
  if (isMeasured === true && simulated !== undefined)
    throw usage(simulated, "--measured runs on what is installed here");
}

function usage(option: string, text: string): VdnnError {
  const flag = option.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return new VdnnError("ERR_INVALID_OPTION", `--${flag}: ${text}`, { option: flag });
}

/** @throws VdnnError `ERR_INVALID_OPTION` for a name that is no table and no file, or a file that is no table */
function energyTable(name: string): EnergyTable {
  if (statSync(name, { throwIfNoEntry: false })?.isFile() !== true) return findByName("energy", ENERGY_TABLES, name);
  let table: Partial<EnergyTable>;
  try {
    table = JSON.parse(readFileSync(name, "utf8")) as Partial<EnergyTable>;
  } catch (cause) {
    throw usage("energy", `${name} is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  if (table?.schema !== "vdnn-energy/1") throw usage("energy", `${name}: expected schema "vdnn-energy/1"`);
  for (const field of ["name", "source"] as const) {
    if (typeof table[field] !== "string") throw usage("energy", `${name}: ${field}: expected a string`);
  }
  for (const field of ["wordBytes", "devicePj", "hostPj", "linkPj"] as const) {
    const value = table[field];
    const least = field === "wordBytes" ? 1 : 0;
    if (typeof value !== "number" || !Number.isFinite(value) || value < least) {
      throw usage("energy", `${name}: ${field}: expected a number, ${least} or more, got ${JSON.stringify(value)}`);
    }
  }
  return table as EnergyTable;
}
