/**
 * What stands between a network's layers and what they cost: a layer as it ran (or as its shape says), and a model of a machine that
 * puts a cost to it. What no model takes runs on the host.
 */
import type { EieStorageDetails } from "./eie-model.ts";
import type { MacCounts, Saturation } from "../backend/records.ts";
import type { LayerCost } from "../cost.ts";
import type { MappingOrigin } from "../eyeriss/choose.ts";
import type { Mapping } from "../eyeriss/mapping.ts";
import type { Densities, LayerShape } from "../layer.ts";

/** Tensors of a layer that ran, as matrices: inputs `[vectors, depth]`, weights `[depth, filters]`. */
export interface Operands {
  readonly inputs: Float32Array;
  readonly weights: Float32Array;
  readonly bias: Float32Array | null;
  /** The same for the same weights: a recurrent layer multiplies by one matrix at every step. */
  readonly fingerprint: number;
}

/** A layer that ran on the accelerator's arithmetic, or one of which only the shape is known. */
export interface InferLayer {
  readonly shape: LayerShape;
  readonly densities: Densities;
  /** Exact counts of a run; null where the densities are stated. */
  readonly ran: { readonly kernel: string; readonly macs: MacCounts; readonly saturated: Saturation } | null;
  /** False where both operands are activations, as in attention. */
  readonly hasWeights: boolean;
  /** Kept for machines whose time depends on where the zeros are; else null. */
  readonly operands: Operands | null;
}

/** What one machine has to say beyond the cost. */
export type CostDetails =
  | { readonly kind: "eyeriss"; readonly mapping: Mapping; readonly origin: MappingOrigin }
  | ({ readonly kind: "eie" } & EieStorageDetails)
  | { readonly kind: "counted" };

export interface Costed {
  readonly cost: LayerCost;
  readonly details: CostDetails;
}

export interface CostModel {
  /** In words: array, clock, where it is from. */
  readonly about: string;
  /** As data, for the JSON document. */
  readonly hardware: object;
  /** What is published, fitted or assumed; sentences for the caption. */
  readonly notes: readonly string[];
  /** @throws VdnnError `ERR_UNSUPPORTED_LAYER` for a layer that the machine has no mapping for */
  cost(layer: InferLayer): Costed;
}
