/**
 * Layers of a network on EIE, cycle by cycle over the places where weights and activations are not zero. What the weights are worth
 * plays no part in the time, so a matrix that is not shared is simulated as if it were, and its values come from the backend.
 */
import { VdnnError } from "../../errors.ts";
import { type EieCost, eieCost } from "../eie/cost.ts";
import { checkMachine, EIE, type EieMachine } from "../eie/machine.ts";
import { countVectors } from "./eie-vectors.ts";
import type { MachineSettings } from "./machines.ts";
import type { CostModel } from "./model.ts";
import { countOf } from "./pes.ts";

export interface EieStorageDetails {
  readonly storage: EieCost["storage"];
  /** Published power of each part times the time. */
  readonly publishedPj: EieCost["publishedPj"];
  /** Matrix-vector products of the layer, and those that were simulated; the rest is as those on average. */
  readonly vectors: number;
  readonly simulatedVectors: number;
}

export function eieModel({ energy, precision, accumulate, pes, fifo, seed }: MachineSettings): CostModel {
  const machine: EieMachine = {
    ...EIE,
    ...(pes === undefined ? {} : { pes: countOf(pes) }),
    ...(fifo === undefined ? {} : { fifoRegisters: fifo }),
  };
  checkMachine(machine);
  return {
    about: `${machine.pes} elements at ${machine.clockMhz} MHz, activation queues of ${machine.fifoRegisters} registers`,
    hardware: machine,
    notes: [
      "EIE (ISCA 2016): simulated cycle by cycle over the places of the weights and activations that are not zero; neither zero " +
        "takes time (skipped), fillers do (gated). It multiplies matrices by vectors: a 1 × 1 convolution is a product per position.",
      "Matrices are stored as 4-bit codes and 4-bit zero runs, as if shared to 16 weights: the time depends on places alone. A matrix " +
        "that fits the SRAM of the elements needs no DRAM; bytes before compression are its 16-bit words.",
      "chip mW: 9.157 mW per element, published, whatever the layer does. Energy is counts times the energy table, in 16-bit words.",
    ],
    cost(layer) {
      const { shape } = layer;
      if (shape.filterHeight * shape.filterWidth !== 1 || shape.stride !== 1) {
        throw unsupported(shape.name, "eie runs fully connected layers and 1 × 1 convolutions of stride 1");
      }
      if (!layer.hasWeights)
        throw unsupported(shape.name, "both operands are activations; eie's matrices are stored beforehand");
      if (shape.groups !== 1) throw unsupported(shape.name, "eie has no mapping for groups");
      const run = countVectors(layer, machine, seed);
      const cost = eieCost(shape, run.matrix, run.counts, {
        energy,
        precision,
        accumulate,
        machine,
        vectors: run.vectors,
      });
      const { storage, publishedPj } = cost;
      const { vectors, simulatedVectors } = run;
      return { cost, details: { kind: "eie", storage, publishedPj, vectors, simulatedVectors } };
    },
  };
}

function unsupported(layer: string, reason: string): VdnnError {
  return new VdnnError("ERR_UNSUPPORTED_LAYER", `${layer}: ${reason}`, { layer });
}
