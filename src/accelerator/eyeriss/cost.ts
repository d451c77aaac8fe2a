/**
 * What a layer costs on the row-stationary accelerator: its traffic with the zeros taken into account, and an energy table.
 * Zeros do two things on the chip: maps are run-length coded on their way to and from DRAM, and an element whose input is zero
 * takes its cycle but leaves multiplier, filter memory and sums alone (JSSC 2017, sections V-E and V-F).
 */
import { VdnnError } from "../../errors.ts";
import { defaultAccumulator, energyOf } from "../account.ts";
import type { LayerCost } from "../cost.ts";
import type { AcceleratorEnergy, Precision } from "../energy.ts";
import { DENSE, type Densities, type LayerShape, macsOf } from "../layer.ts";
import { EYERISS_CHIP, type EyerissHardware, withPrecision } from "./hardware.ts";
import { chooseMapping, type MappingOrigin, shapeOnArray } from "./choose.ts";
import type { Mapping } from "./mapping.ts";
import { chipMilliwatts } from "./power.ts";
import { totalMs } from "./score.ts";
import { type Traffic, trafficOf } from "./traffic.ts";

export interface EyerissOptions {
  readonly energy: AcceleratorEnergy;
  /** Default: the chip of JSSC 2017. */
  readonly hardware?: EyerissHardware;
  /** Default: `int16`, the chip's. */
  readonly precision?: Precision;
  /** Default: `int32` for integers, `fp32` for floating point. */
  readonly accumulate?: Precision | "int32";
  /** Default: nothing is zero. */
  readonly densities?: Densities;
  /**
   * Share of the MACs whose input is not zero, where it was counted: padding has zeros that the density of the map does not tell of.
   * Default: the density of the inputs.
   */
  readonly activeShare?: number;
  /** Default: the published one where the layer has one, else the best that the search finds. */
  readonly mapping?: Mapping;
}

export interface EyerissCost extends LayerCost {
  readonly mapping: Mapping;
  readonly mappingOrigin: MappingOrigin;
  readonly traffic: Traffic;
}

/**
 * @throws VdnnError `ERR_UNSUPPORTED_LAYER` for a filter that is larger than the array or than an element's memories,
 * `ERR_INVALID_OPTION` for a mapping that breaks a limit or a density that is not a share
 */
export function eyerissCost(layer: LayerShape, options: EyerissOptions): EyerissCost {
  const { energy, precision = "int16", densities = DENSE } = options;
  const { accumulate = defaultAccumulator(precision), activeShare = densities.inputs } = options;
  for (const [name, share] of Object.entries({ ...densities, "active MACs": activeShare })) {
    if (share >= 0 && share <= 1) continue;
    throw new VdnnError("ERR_INVALID_OPTION", `density of ${layer.name}'s ${name}: expected 0 to 1, got ${share}`, {
      option: "densities",
      layer: layer.name,
      got: share,
    });
  }
  const hardware = withPrecision(options.hardware ?? EYERISS_CHIP, precision);
  const shape = shapeOnArray(layer);
  const { mapping, origin } = chooseMapping(shape, hardware, options.mapping);
  const traffic = trafficOf(shape, mapping, hardware);

  const macs = macsOf(layer);
  const activeMacs = macs * activeShare;
  const { weights, inputs, outputs } = traffic.dram;
  const maps = inputs * storedShare(densities.inputs, hardware) + outputs * storedShare(densities.outputs, hardware);
  const processingMs = traffic.cycles / (hardware.coreMHz * 1e3);
  const accesses = {
    dram: weights + maps,
    buffer: traffic.bufferWords,
    array: traffic.arrayWords,
    // The input is read to see whether it is zero; filter, sum in and sum out follow only if it is not.
    registers: macs + 3 * activeMacs,
  };
  const wordBytes = hardware.wordBits / 8;
  const { power } = hardware;
  return {
    layer,
    cycles: traffic.cycles,
    processingMs,
    totalMs: totalMs(traffic.cycles, { maps, all: weights + maps }, hardware),
    activePes: traffic.activePes,
    utilization: macs / (traffic.cycles * hardware.rows * hardware.columns),
    macs,
    gatedMacs: macs - activeMacs,
    skippedMacs: 0,
    accesses,
    energyPj: energyOf(
      { accesses, wordBits: hardware.wordBits, activeMacs, precision, accumulate, ms: processingMs },
      energy,
    ),
    dramBytes: {
      uncompressed: (weights + inputs + outputs) * wordBytes,
      compressed: accesses.dram * wordBytes,
    },
    chipMw:
      power === null
        ? null
        : chipMilliwatts(power, { activeMacs, macs, bufferWords: traffic.bufferWords, processingMs }),
    mapping,
    mappingOrigin: origin,
    traffic,
  };
}

const RUN_BITS = 5;
const CODE_BITS = 64;

/**
 * Share of a map's words that run-length coding leaves: a pair of 5-bit run and level for each word that is not zero, as many
 * pairs as fit into 64 bits with a flag, so 4/3 words per non-zero one of 16 bits. Dense maps are left as they are.
 */
export function storedShare(density: number, { wordBits }: Pick<EyerissHardware, "wordBits">): number {
  const pairs = Math.floor((CODE_BITS - 1) / (RUN_BITS + wordBits));
  return Math.min(1, (density * CODE_BITS) / (pairs * wordBits));
}
