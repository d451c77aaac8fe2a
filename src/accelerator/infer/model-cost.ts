/** The whole of a network's cost in one call, for callers that are not the command line. */
import type { LayersModel } from "@tensorflow/tfjs";
import { energyNamed } from "../energy-data.ts";
import type { AcceleratorEnergy } from "../energy.ts";
import { costModelOf, machineNamed, type Pes, precisionOf } from "./machines.ts";
import { costNetwork, type NetworkCost } from "./network-cost.ts";
import { shapedLayers } from "./shapes.ts";

export interface ModelCostOptions {
  /** Maps per inference. Default 1. */
  readonly batch?: number;
  /** Energy per access and operation. Default the table `eyeriss-normalized`. */
  readonly energy?: AcceleratorEnergy;
  /** `fp32`, `fp16`, `int16` or `int8`. Default the chip's own. */
  readonly precision?: string;
  /** Share of activations that are not zero, 0 to 1. Default 1. */
  readonly activationDensity?: number;
  /** Share of weights that are not zero, 0 to 1. Default that of the model's weights. */
  readonly weightDensity?: number;
  /** Size of the array. Default the chip's own. */
  readonly pes?: Pes;
  /** On EIE: registers of the activation queues. Default 8. */
  readonly fifo?: number;
  /** On EIE: where the zeros lie, which time depends on. Default 1. */
  readonly seed?: number;
}

/**
 * What an inference of a tf.layers model takes on an accelerator, modelled from the model's shapes; nothing is computed. For zeros
 * as they really fall, run the model on `registerAccelerator` and cost its layers.
 *
 * @param accelerator `eyeriss`, `eie`, `ideal-dense`, or a dataflow: `rs`, `ws`, `osa`, `osb`, `osc`, `nlr`
 * @returns times in ms, energy in pJ, accesses in words, per layer and of all that the accelerator takes; the host's share beside it
 * @throws VdnnError `ERR_INVALID_OPTION` for names and settings that the machine does not have
 */
export function modelCost(model: LayersModel, accelerator: string, options: ModelCostOptions = {}): NetworkCost {
  const { batch = 1, energy = energyNamed(), activationDensity = 1, weightDensity = null, seed = 1 } = options;
  const machine = machineNamed(accelerator);
  const { pes, fifo } = options;
  const costModel = costModelOf(machine, { energy, ...precisionOf(machine, options.precision), pes, fifo, seed });
  const layers = shapedLayers(model, batch, { activations: activationDensity, weights: weightDensity });
  return costNetwork(layers, { model: costModel, energy, batch });
}
