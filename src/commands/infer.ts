/**
 * `vdnn infer`: one inference of a network on a simulated accelerator: its outputs, computed on the accelerator's arithmetic, and what
 * every layer costs there. With --no-compute shapes are costed and nothing runs; --layer runs one stored EIE layer.
 */
import { writeFileSync } from "node:fs";
import type { LayersModel, Tensor } from "@tensorflow/tfjs";
import { DEFAULT_ENERGY } from "../accelerator/energy-data.ts";
import { readEnergy } from "../accelerator/energy-file.ts";
import {
  costModelOf,
  type Machine,
  machineNamed,
  type MachineSettings,
  precisionOf,
} from "../accelerator/infer/machines.ts";
import type { CostModel } from "../accelerator/infer/model.ts";
import { costNetwork, type NetworkCost } from "../accelerator/infer/network-cost.ts";
import { type InferenceRun, runInference } from "../accelerator/infer/run.ts";
import { shapedLayers, type StatedDensities } from "../accelerator/infer/shapes.ts";
import { loadTensorFlow } from "../backends/load.ts";
import { VdnnError } from "../errors.ts";
import type { TensorFlow } from "../runtime/engine.ts";
import { renderBarChart } from "../report/bar-chart.ts";
import { writeReport } from "../report/file.ts";
import { inferenceChart } from "./infer-chart.ts";
import { claims } from "./infer-claims.ts";
import { inputFromFile } from "./infer-input.ts";
import { inferJson } from "./infer-json.ts";
import { inferLayer } from "./infer-layer.ts";
import type { InferFlags } from "./infer-options.ts";
import { inferPage } from "./infer-page.ts";
import { checkBatch, checkSubject, SIZES, type Subject, subjectOf, usage } from "./infer-source.ts";
import { renderInference } from "./infer-table.ts";
import { outputFile, reportFile } from "./options.ts";
import { createProgress } from "./progress.ts";

/** All that is printed. */
export interface InferFacts {
  readonly subject: Omit<Subject, "inputs" | "model">;
  readonly machine: Machine;
  readonly settings: MachineSettings;
  readonly batch: number;
  readonly model: CostModel;
  /** Null with --no-compute. */
  readonly run: InferenceRun | null;
  /** With --no-compute. */
  readonly stated: StatedDensities;
  readonly cost: NetworkCost;
}

/** Runs, prints, and returns the exit code. */
export async function infer(model: string | undefined, flags: InferFlags): Promise<number> {
  const machine = machineNamed(flags.accelerator);
  checkFlags(model, machine, flags);
  if (flags.claims === true) return print(claims(flags.json === true));
  if (flags.layer !== undefined) return print(await inferLayer(flags.layer, flags));
  if (model === undefined) {
    throw new VdnnError(
      "ERR_INVALID_OPTION",
      "model: expected a model.json, a .vdnnz file or a network's name (vdnn networks lists them), got nothing",
      { option: "model" },
    );
  }
  // Names and numbers are checked before TensorFlow.js is loaded.
  const energy = readEnergy(flags.energy);
  const { fifo, pes, seed } = flags;
  const settings = { energy, ...precisionOf(machine, flags.precision, flags.accumulate), pes, fifo, seed };
  const costModel = costModelOf(machine, settings);
  checkSubject(model, flags);
  const svg = flags.svg === undefined ? null : outputFile(flags.svg, "--svg");
  const report = reportFile(flags);

  const facts = await inference(model, machine, settings, costModel, flags);
  if (svg !== null) writeFileSync(svg, renderBarChart(inferenceChart(facts)));
  if (report !== undefined) writeReport(report, { json: () => inferJson(facts), page: () => inferPage(facts) });
  return print(flags.json === true ? inferJson(facts) : renderInference(facts));
}

async function inference(
  name: string,
  machine: Machine,
  settings: MachineSettings,
  model: CostModel,
  flags: InferFlags,
): Promise<InferFacts> {
  const { batch = 1, density = 1, weightDensity = null } = flags;
  const stated = { activations: density, weights: weightDensity };
  const progress = createProgress();
  const tf = await portableTensorFlow();
  try {
    progress.show(`loading ${name}`);
    const { inputs, model: layers, ...subject } = await subjectOf(tf, name, flags);
    progress.show(`computing ${name} in FP32 and on ${machine.name}`);
    if (flags.compute) checkBatch(layers, batch);
    const samples = (): Tensor[] =>
      flags.input === undefined ? inputs(batch) : [inputFromFile(tf, layers, flags.input, batch)];
    const run = flags.compute ? await runOnce(tf, layers, samples(), machine, settings) : null;
    const cost = costNetwork(run ?? shapedLayers(layers, batch, stated), {
      model,
      energy: settings.energy,
      batch,
      onLayer: (layer) => progress.show(`costing ${layer}`),
    });
    if (cost.layers.length === 0 && cost.host.every(({ macs }) => macs === 0)) {
      throw new VdnnError(
        "ERR_UNSUPPORTED_LAYER",
        `${name} has no convolution and no matrix product: nothing to cost`,
        {},
      );
    }
    return { subject, machine, settings, batch, model, run, stated, cost };
  } finally {
    progress.clear();
  }
}

async function runOnce(
  tf: TensorFlow,
  model: LayersModel,
  inputs: readonly Tensor[],
  machine: Machine,
  settings: MachineSettings,
): Promise<InferenceRun> {
  try {
    return await runInference(tf, model, inputs, machine, settings);
  } finally {
    for (const tensor of inputs) tensor.dispose();
  }
}

/** The FP32 outputs come from WebAssembly where it starts; the accelerator's host operations need the cpu backend's kernels. */
async function portableTensorFlow(): Promise<TensorFlow> {
  try {
    return (await loadTensorFlow("wasm")).tf;
  } catch {
    return (await loadTensorFlow("cpu")).tf;
  }
}

/** Flags that say nothing about a stored layer, or a claim. */
const OF_MODELS = [
  "svg",
  "report",
  "batch",
  "precision",
  "accumulate",
  "pes",
  "input",
  "density",
  "weightDensity",
  ...SIZES,
] as const;

function checkFlags(model: string | undefined, { name }: Machine, flags: InferFlags): void {
  const { layer, claims: isClaims, compute, fifo } = flags;
  if (layer !== undefined) {
    if (name !== "eie") throw usage("layer", `a stored layer runs on eie; add --accelerator eie, got ${name}`);
    if (model !== undefined) throw usage("layer", `runs one stored layer, not ${model}; leave one of both out`);
  }
  if (layer !== undefined || isClaims === true) {
    const other = OF_MODELS.find((option) => flags[option] !== undefined);
    if (other !== undefined) throw usage(other, `is of a model; leave it out, or --${isClaims ? "claims" : "layer"}`);
    if (!compute) throw usage("no-compute", "is of a model; leave it out");
    if (flags.energy !== DEFAULT_ENERGY) throw usage("energy", "is of a model; leave it out");
  }
  if (isClaims === true && model !== undefined) throw usage("claims", `is not about ${model}; leave it out`);
  if (fifo !== undefined && name !== "eie") throw usage("fifo", `only eie has activation queues, got ${name}`);
  if (compute) {
    for (const option of ["density", "weightDensity"] as const) {
      if (flags[option] === undefined) continue;
      throw usage(option, "needs --no-compute; in a run densities are those that are there");
    }
  } else if (flags.input !== undefined)
    throw usage("input", "with --no-compute nothing is computed; leave one of both out");
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}
