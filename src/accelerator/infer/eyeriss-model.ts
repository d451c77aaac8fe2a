/** Layers of a network on the row-stationary accelerator (eyeriss/cost.ts), each with its mapping. */
import { eyerissCost } from "../eyeriss/cost.ts";
import { eyerissHardware, withPrecision } from "../eyeriss/hardware.ts";
import type { MachineSettings } from "./machines.ts";
import type { CostModel, InferLayer } from "./model.ts";
import { arrayOf } from "./pes.ts";
import { requirePlain } from "./plain.ts";

export function eyerissModel({ energy, precision, accumulate, pes }: MachineSettings): CostModel {
  const chip = eyerissHardware(pes === undefined ? {} : arrayOf("eyeriss", pes));
  const { rows, columns, coreMHz, bufferBytes, power } = withPrecision(chip, precision);
  return {
    about: `${rows} × ${columns} elements at ${coreMHz} MHz, ${bufferBytes / 1024} KiB of buffer for maps and sums`,
    hardware: withPrecision(chip, precision),
    notes: [
      "Eyeriss (JSSC 2017): sizes, clocks and the mappings of AlexNet and VGG-16 are published or inferred from its tables, other " +
        "mappings are searched; cycles follow from the mapping but for 580 per pass and the exposed share of transfers, both fitted.",
      "A zero input takes its cycle and no arithmetic (gated). Maps are run-length coded on their way to DRAM, weights are not.",
      "A fully connected layer is a 1 × 1 convolution of its flattened input.",
      power === null
        ? "chip mW: none, as only the 12 × 14 array at int16 was measured."
        : "chip mW: without DRAM, at 65 nm; a fit over the 18 layers that were measured. Energy is counts times the energy table.",
    ],
    cost(layer) {
      requirePlain(layer.shape);
      const { shape, densities } = layer;
      const options = { energy, hardware: chip, precision, accumulate, densities, activeShare: activeShare(layer) };
      const cost = eyerissCost(shape, options);
      const { mapping, mappingOrigin: origin } = cost;
      return { cost, details: { kind: "eyeriss", mapping, origin } };
    },
  };
}

/** MACs whose input is not zero, padding included: exactly what is not gated, where the layer ran. */
function activeShare({ ran, densities }: InferLayer): number {
  if (ran === null || ran.macs.total === 0) return densities.inputs;
  const { total, zeroInput, padding } = ran.macs;
  return (total - zeroInput - padding) / total;
}
