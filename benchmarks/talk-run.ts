/** The second half of the talk: what one frame costs on each machine, and whether its own arithmetic still tells the digits apart. */
import { ENERGY_PARTS, type EnergyPart, type LayerCost } from "../src/accelerator/cost.ts";
import type { AcceleratorEnergy } from "../src/accelerator/energy.ts";
import { topOf } from "../src/accelerator/infer/agreement.ts";
import {
  costModelOf,
  type Machine,
  machineNamed,
  type MachineSettings,
  precisionOf,
} from "../src/accelerator/infer/machines.ts";
import type { InferLayer } from "../src/accelerator/infer/model.ts";
import { runInference } from "../src/accelerator/infer/run.ts";
import { shapedLayers } from "../src/accelerator/infer/shapes.ts";
import { DENSE, weightsOf } from "../src/accelerator/layer.ts";
import { type CostTotals, totalsOf } from "../src/accelerator/totals.ts";
import { restoreWeights } from "../src/compression/training/weights.ts";
import { batchOf, type LabeledImages } from "../src/data/images.ts";
import { findNetwork } from "../src/networks/index.ts";
import type { TensorFlow } from "../src/runtime/engine.ts";
import { withoutWeights } from "../src/simulator/shape-only.ts";
import type { FrameCost, ShapeRow } from "./talk-result.ts";
import type { TalkNetwork } from "./talk-train.ts";

/** `baseline-…`: the row-stationary array that sees no zeros: nothing is gated, nothing coded. */
export type TalkMachine = "baseline-fp32" | "baseline-int16" | "eyeriss" | "eie";

export interface MachineRun extends FrameCost {
  /** Share of the images in the right class, 0 to 1. */
  readonly accuracy: number;
}

export interface TalkSetting {
  readonly network: TalkNetwork;
  readonly images: LabeledImages;
  readonly energy: AcceleratorEnergy;
  readonly seed: number;
}

/** Runs all images through the network with these weights. */
export async function runOn(
  tf: TensorFlow,
  machine: TalkMachine,
  weights: readonly Float32Array[],
  { network, images, energy, seed }: TalkSetting,
): Promise<MachineRun> {
  const settingsOf = (chip: Machine): MachineSettings => {
    const precision = machine === "baseline-fp32" ? "fp32" : undefined;
    return { energy, ...precisionOf(chip, precision), seed };
  };
  const [eyeriss, eie] = [machineNamed("eyeriss"), machineNamed("eie")];
  const chip = machine === "eie" ? eie : eyeriss;
  const model = findNetwork(network).build(tf, { seed, initialization: "zeros" });
  restoreWeights(tf, model, weights);
  const rowStationary = costModelOf(eyeriss, settingsOf(eyeriss));
  const onEyeriss = (layer: InferLayer): LayerCost =>
    rowStationary.cost(machine.startsWith("baseline") ? blind(layer) : oneFrame(layer)).cost;
  const skipping = costModelOf(eie, settingsOf(eie));
  const onEie = (layer: InferLayer): LayerCost => shareOut(skipping.cost(layer).cost, images.count);
  const { xs, ys } = batchOf(
    tf,
    images,
    Uint32Array.from({ length: images.count }, (_, i) => i),
  );
  try {
    const run = await runInference(tf, model, [xs], chip, settingsOf(chip));
    const costs = machine === "eie" ? run.layers.map(onEie) : run.layers.map(onEyeriss);
    if (run.hostOps.some(({ reason }) => reason !== null)) {
      // What EIE has no mapping for runs on Eyeriss.
      const taken = new Set(run.layers.map(({ shape }) => shape.name));
      const other = await runInference(tf, model, [xs], eyeriss, settingsOf(eyeriss));
      costs.push(...other.layers.filter(({ shape }) => !taken.has(shape.name)).map(onEyeriss));
    }
    return { accuracy: accuracyOf(run.outputs, images), ...frameCost(totalsOf(costs, 1)) };
  } finally {
    tf.dispose([xs, ys]);
    model.dispose();
  }
}

/** The shares of zeros are those of all frames; weights are fetched for each, as there is no other frame to share them with. */
function oneFrame(layer: InferLayer): InferLayer {
  return { ...layer, shape: { ...layer.shape, batch: 1 } };
}

function blind(layer: InferLayer): InferLayer {
  return { ...oneFrame(layer), densities: DENSE, ran: null };
}

/** EIE takes frames one by one, so all are simulated, and shared out. */
function shareOut(cost: LayerCost, frames: number): LayerCost {
  const energyPj = Object.fromEntries(ENERGY_PARTS.map((part) => [part, cost.energyPj[part] / frames])) as Record<
    EnergyPart,
    number
  >;
  const { uncompressed, compressed } = cost.dramBytes;
  const dramBytes = { uncompressed: uncompressed / frames, compressed: compressed / frames };
  return { ...cost, totalMs: cost.totalMs / frames, energyPj, dramBytes };
}

function frameCost({ dramBytes, energyPj, framesPerSecond }: CostTotals): FrameCost {
  return { dramBytes: dramBytes.compressed, energyPj, framesPerSecond };
}

function accuracyOf(outputs: Float32Array, { count, labels }: LabeledImages): number {
  const classes = outputs.length / count;
  let right = 0;
  for (let i = 0; i < count; i++) {
    const [best] = topOf(outputs.subarray(i * classes, (i + 1) * classes), 1);
    if (best?.index === labels[i]) right++;
  }
  return right / count;
}

/** SqueezeNet's idea, from shapes alone: a network of the same accuracy with fewer weights, on Eyeriss, one frame, dense maps. */
export function shapeRow(tf: TensorFlow, network: "alexnet" | "squeezenet", energy: AcceleratorEnergy): ShapeRow {
  const chip = machineNamed("eyeriss");
  const eyeriss = costModelOf(chip, { energy, ...precisionOf(chip), seed: 1 });
  const model = withoutWeights(tf, () => findNetwork(network).build(tf));
  const { layers } = shapedLayers(model, 1, { activations: 1, weights: 1 });
  const totals = totalsOf(
    layers.map((layer) => eyeriss.cost(layer).cost),
    1,
  );
  const parameters = layers.reduce((sum, { shape }) => sum + weightsOf(shape) + (shape.bias ? shape.filters : 0), 0);
  return { network, parameters, macs: totals.macs, ...frameCost(totals) };
}
