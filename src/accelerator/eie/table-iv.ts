/**
 * EIE's nine benchmark layers, simulated at their published sizes and densities. A prediction: nothing here is fitted. Table III's
 * densities are means over a data set, while table IV was timed on one image, which shows in two layers.
 */
import { EIE, type EieMachine, msOf } from "./machine.ts";
import { type PublishedLayer, TABLE_IV } from "./published.ts";
import { randomLayer } from "./random-layer.ts";
import { efficiencyOf, simulateChecked, theoreticalCycles } from "./simulate.ts";
import { type Storage, storageOf } from "./storage.ts";

export interface ModelledLayer {
  readonly published: PublishedLayer;
  readonly cycles: number;
  readonly theoreticalUs: number;
  readonly actualUs: number;
  /** Modelled over published, minus 1. */
  readonly theoreticalError: number;
  readonly actualError: number;
  readonly efficiency: number;
  /** Of the entries multiplied. */
  readonly fillerShare: number;
  /** The activation density at which the published theoretical time would result. */
  readonly impliedActivationDensity: number;
  readonly storage: Storage;
  /** Why the published time cannot follow from the published densities; null where it does. */
  readonly explanation: string | null;
}

const EXPLANATIONS: Readonly<Record<string, string>> = {
  "Alex-8":
    "the authors' own data for this layer has 42.9 % of activations and 25.7 % of weights, for 37.5 % and 25 % in table III; simulated with it, the times are the published ones",
  "VGG-6":
    "its published work is a fifth above what its densities and their fillers give, so the image that was timed had more activations than the data set's mean (or rows denser than 4 %), and its loads were less even than random ones",
};

export interface TableIVOptions {
  /** Default 1. */
  readonly seed?: number;
  readonly machine?: EieMachine;
}

export function modelTableIV({ seed = 1, machine = EIE }: TableIVOptions = {}): readonly ModelledLayer[] {
  return TABLE_IV.map((published) => modelLayer(published, seed, machine));
}

export function modelLayer(published: PublishedLayer, seed = 1, machine: EieMachine = EIE): ModelledLayer {
  const { layer, activations } = randomLayer({ ...published, seed, machine });
  const run = simulateChecked(layer, activations, { machine });
  const theoreticalUs = msOf(machine, theoreticalCycles(run)) * 1e3;
  const actualUs = msOf(machine, run.cycles) * 1e3;
  return {
    published,
    cycles: run.cycles,
    theoreticalUs,
    actualUs,
    theoreticalError: theoreticalUs / published.theoreticalUs - 1,
    actualError: actualUs / published.actualUs - 1,
    efficiency: efficiencyOf(run),
    fillerShare: run.zeroWork / run.work,
    impliedActivationDensity: Math.min(1, (published.activationDensity * published.theoreticalUs) / theoreticalUs),
    storage: storageOf(layer, machine),
    explanation: EXPLANATIONS[published.name] ?? null,
  };
}
