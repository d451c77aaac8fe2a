/** Which mapping a layer runs with: the one given, the published one of that shape, or the best that a search finds, remembered. */
import { VdnnError } from "../../errors.ts";
import type { LayerShape } from "../layer.ts";
import type { EyerissHardware } from "./hardware.ts";
import { type Mapping, mappingFault, requireLegal } from "./mapping.ts";
import { knownMapping } from "./published.ts";
import { bestMapping } from "./search.ts";

/** `published`: JSSC 2017, table III. `inferred`: from what table VI measures of VGG-16. */
export type MappingOrigin = "given" | "published" | "inferred" | "searched";

export interface ChosenMapping {
  readonly mapping: Mapping;
  readonly origin: MappingOrigin;
}

/** A fully connected layer is a 1 x 1 convolution of its flattened input: filters are reused over the batch alone. */
export function shapeOnArray(layer: LayerShape): LayerShape {
  if (layer.kind === "convolution") return layer;
  const channels = layer.channels * layer.filterHeight * layer.filterWidth;
  const point = { inputHeight: 1, inputWidth: 1, filterHeight: 1, filterWidth: 1, outputHeight: 1, outputWidth: 1 };
  return { ...layer, ...point, channels, stride: 1 };
}

/** @throws VdnnError `ERR_UNSUPPORTED_LAYER` where no mapping is legal, `ERR_INVALID_OPTION` where the given one is not */
export function chooseMapping(layer: LayerShape, hardware: EyerissHardware, given?: Mapping): ChosenMapping {
  requireSupported(layer, hardware);
  if (given !== undefined) {
    requireLegal(layer, given, hardware);
    return { mapping: given, origin: "given" };
  }
  const known = knownMapping(layer);
  if (known !== null && mappingFault(layer, known.mapping, hardware) === null) return known;
  const mapping = remembered(layer, hardware);
  if (mapping !== null) return { mapping, origin: "searched" };
  throw unsupported(
    layer,
    hardware,
    `one row of one map does not fit the buffer of ${hardware.bufferBytes} bytes`,
    "use a larger buffer",
  );
}

function requireSupported(layer: LayerShape, hardware: EyerissHardware): void {
  const { filterHeight, filterWidth, filters, groups } = layer;
  if (filters % groups !== 0) {
    const reason = `its ${filters} filters are not ${groups} equal groups`;
    throw unsupported(layer, hardware, reason, "run each group as a layer of its own");
  }
  const widest = Math.min(hardware.inputSpad, hardware.filterSpad);
  const reason =
    filterHeight > hardware.rows
      ? `its filter has ${filterHeight} rows and the array ${hardware.rows}`
      : `a row of its filter has ${filterWidth} words and an element's memory holds ${widest}`;
  if (filterHeight <= hardware.rows && filterWidth <= widest) return;
  const remedy = "run the layer on the host, or replace it by a stack of smaller filters";
  throw unsupported(layer, hardware, reason, remedy);
}

function unsupported(layer: LayerShape, hardware: EyerissHardware, reason: string, remedy: string): VdnnError {
  return new VdnnError("ERR_UNSUPPORTED_LAYER", `${layer.name} cannot run on ${hardware.name}: ${reason}; ${remedy}`, {
    layer: layer.name,
    filter: [layer.filterHeight, layer.filterWidth],
    array: [hardware.rows, hardware.columns],
  });
}

const found = new Map<string, Mapping | null>();

function remembered(layer: LayerShape, hardware: EyerissHardware): Mapping | null {
  const { name: _, kind: __, bias: ___, ...sizes } = layer;
  const key = JSON.stringify([sizes, hardware]);
  const known = found.get(key);
  if (known !== undefined) return known;
  const mapping = bestMapping(layer, hardware);
  found.set(key, mapping);
  return mapping;
}
