/**
 * The two networks that were measured on the chip: their layers, their mappings and their densities. Where a number is inferred
 * and not published, its comment says so.
 */
import { type Densities, type LayerShape, weightsOf } from "../layer.ts";
import type { Mapping } from "./mapping.ts";
import { MEASURED_ALEXNET, MEASURED_VGG16 } from "./measured.ts";

export interface PublishedLayer {
  readonly shape: LayerShape;
  readonly mapping: Mapping;
  readonly origin: "published" | "inferred";
  readonly densities: Densities;
}

type Sizes = Pick<LayerShape, "batch" | "channels" | "filters" | "groups" | "stride">;

function square(name: string, input: number, filter: number, output: number, sizes: Sizes): LayerShape {
  return {
    name,
    kind: "convolution",
    ...sizes,
    inputHeight: input,
    inputWidth: input,
    filterHeight: filter,
    filterWidth: filter,
    outputHeight: output,
    outputWidth: output,
    bias: true,
  };
}

/** Table III's order. */
function mapping(order: readonly [number, number, number, number, number, number, number], f: number): Mapping {
  const [m, n, e, p, q, r, t] = order;
  return { m, n, e, p, q, r, t, f };
}

const N4 = { batch: 4, groups: 1, stride: 1 };

const ALEXNET_SHAPES: readonly LayerShape[] = [
  square("CONV1", 227, 11, 55, { ...N4, channels: 3, filters: 96, stride: 4 }),
  square("CONV2", 31, 5, 27, { ...N4, channels: 48, filters: 256, groups: 2 }),
  square("CONV3", 15, 3, 13, { ...N4, channels: 256, filters: 384 }),
  square("CONV4", 15, 3, 13, { ...N4, channels: 192, filters: 384, groups: 2 }),
  square("CONV5", 15, 3, 13, { ...N4, channels: 192, filters: 256, groups: 2 }),
];

/** JSSC 2017, table III. */
const ALEXNET_MAPPINGS: readonly Mapping[] = [
  mapping([96, 1, 7, 16, 1, 1, 2], 55),
  mapping([64, 1, 27, 16, 2, 1, 1], 27),
  mapping([64, 4, 13, 16, 4, 1, 4], 13),
  mapping([64, 4, 13, 16, 3, 2, 2], 13),
  mapping([64, 4, 13, 16, 3, 2, 2], 13),
];

/**
 * CONV3's published buffer traffic of 50.2 MB needs six channels per pass where its published mapping has q r = 4. With this one
 * the traffic agrees; time and DRAM traffic agree with either.
 */
export const ALEXNET_CONV3_BY_TRAFFIC: Mapping = mapping([64, 4, 13, 16, 3, 2, 2], 13);

/** Non-zero shares of outputs after ReLU and before pooling: Sparseloop (Wu et al., MICRO 2022), artifact. */
const ALEXNET_OUTPUTS = [0.378, 0.169, 0.303, 0.304, 0.1] as const;

export const ALEXNET: readonly PublishedLayer[] = ALEXNET_SHAPES.map((shape, i) => ({
  shape,
  mapping: ALEXNET_MAPPINGS[i] as Mapping,
  origin: "published",
  densities: {
    inputs: 1 - (MEASURED_ALEXNET[i]?.zeroShare ?? 0),
    weights: 1,
    outputs: ALEXNET_OUTPUTS[i] ?? 1,
  },
}));

/** Channels, filters and size of VGG-16's convolutions, all 3 x 3 with a border of one. */
const VGG16_SIZES = [
  [3, 64, 224],
  [64, 64, 224],
  [64, 128, 112],
  [128, 128, 112],
  [128, 256, 56],
  [256, 256, 56],
  [256, 256, 56],
  [256, 512, 28],
  [512, 512, 28],
  [512, 512, 28],
  [512, 512, 14],
  [512, 512, 14],
  [512, 512, 14],
] as const;

/**
 * Inferred, not published: the mappings that agree with table VI's active elements, time, buffer and DRAM traffic, by block. CONV1's
 * maps are worked through in two halves of 112 columns: 224 columns of 32 filters do not fit the buffer, and with 16 filters the
 * inputs would be fetched twice as often as was measured.
 */
const VGG16_MAPPINGS: readonly Mapping[] = [
  mapping([32, 1, 13, 8, 1, 1, 4], 112),
  mapping([32, 1, 13, 8, 1, 1, 4], 112),
  mapping([64, 1, 13, 16, 2, 1, 4], 56),
  mapping([32, 1, 28, 16, 4, 1, 2], 28),
  mapping([64, 3, 14, 16, 4, 2, 2], 14),
];

const BLOCK_OF_SIZE: Readonly<Record<number, number>> = { 224: 0, 112: 1, 56: 2, 28: 3, 14: 4 };

/**
 * Inferred: maximum pooling leaves a word zero where k independent words would all be. AlexNet's first two layers, of which both
 * sides are known, give k = 2.0 and 1.7; VGG-16's outputs before pooling are taken back with their mean.
 */
export const POOLED_WORDS: number =
  [0, 1].reduce((sum, i) => {
    const zerosAfter = MEASURED_ALEXNET[i + 1]?.zeroShare ?? 0;
    return sum + Math.log(zerosAfter) / Math.log(1 - (ALEXNET_OUTPUTS[i] ?? 0));
  }, 0) / 2;

/** What table VI says of the next layer's input, taken back through the pooling where there is one. */
function vggOutputs(i: number): number {
  const here = MEASURED_VGG16[i];
  // CONV5-3 has no layer behind it: as its own input.
  const next = MEASURED_VGG16[i + 1] ?? here;
  const zeros = next?.zeroShare ?? 0;
  const isPooled = VGG16_SIZES[i + 1] === undefined || VGG16_SIZES[i + 1]?.[2] !== VGG16_SIZES[i]?.[2];
  return 1 - (isPooled && next !== here ? zeros ** (1 / POOLED_WORDS) : zeros);
}

export const VGG16: readonly PublishedLayer[] = VGG16_SIZES.map(([channels, filters, size], i) => {
  const measured = MEASURED_VGG16[i];
  const sizes = { batch: 3, groups: 1, stride: 1, channels, filters };
  return {
    shape: square(measured?.layer ?? "", size + 2, 3, size, sizes),
    mapping: VGG16_MAPPINGS[BLOCK_OF_SIZE[size] ?? 0] as Mapping,
    origin: "inferred",
    densities: { inputs: 1 - (measured?.zeroShare ?? 0), weights: 1, outputs: vggOutputs(i) },
  };
});

const SHAPE_KEYS = [
  "groups",
  "inputHeight",
  "inputWidth",
  "filterHeight",
  "outputHeight",
  "outputWidth",
  "stride",
] as const;

/** The mapping of the measured layer of the same shape; with fewer maps in a pass where the batch is smaller. */
export function knownMapping(
  layer: LayerShape,
): { readonly mapping: Mapping; readonly origin: PublishedLayer["origin"] } | null {
  const same = [...ALEXNET, ...VGG16].find(
    ({ shape }) =>
      shape.filters === layer.filters &&
      weightsOf(shape) === weightsOf(layer) &&
      SHAPE_KEYS.every((key) => shape[key] === layer[key]),
  );
  if (same === undefined) return null;
  return { mapping: { ...same.mapping, n: Math.min(same.mapping.n, layer.batch) }, origin: same.origin };
}
