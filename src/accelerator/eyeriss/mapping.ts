/**
 * How a layer is laid on the array (Chen et al., JSSC 2017, section IV and table III), and every limit that a mapping must keep.
 *
 * A PE set of R x e elements computes e rows of one 2-D convolution: filter rows run along the array's rows, input rows along its
 * diagonals, sums up its columns. A set wider than the array is cut in halves that stand above each other. Sets are replicated over
 * r groups of channels (their sums are added) and t groups of filters; within an element p filters and q channels take turns.
 */
import { VdnnError } from "../../errors.ts";
import type { LayerShape } from "../layer.ts";
import type { EyerissHardware } from "./hardware.ts";

export interface Mapping {
  /** Filters whose sums are in the buffer together; a multiple of `p * t`. */
  readonly m: number;
  /** Maps of the batch in one pass. */
  readonly n: number;
  /** Output rows in one pass. */
  readonly e: number;
  /** Filters per element. */
  readonly p: number;
  /** Channels per element. */
  readonly q: number;
  /** Sets that work on different channels. */
  readonly r: number;
  /** Sets that work on different filters. */
  readonly t: number;
  /** Output columns in one pass: all of them (F) in the published mappings. */
  readonly f: number;
}

/** Equal parts of a length, and a shorter one at the end. */
export interface Part {
  readonly count: number;
  readonly size: number;
}

export function partsOf(total: number, size: number): Part[] {
  const [whole, rest] = [Math.floor(total / size), total % size];
  const parts = whole > 0 ? [{ count: whole, size }] : [];
  return rest > 0 ? [...parts, { count: 1, size: rest }] : parts;
}

/** Input rows (or columns) behind `outputs` rows of output. */
export function inputSpan(outputs: number, filter: number, stride: number): number {
  return (outputs - 1) * stride + filter;
}

/** Copies of an R x e set that fit into the array; 0 where one does not. */
export function setsThatFit(
  filterHeight: number,
  e: number,
  { rows, columns }: Pick<EyerissHardware, "rows" | "columns">,
): number {
  const places = Math.floor(rows / filterHeight) * Math.floor(columns / Math.min(e, columns));
  return Math.floor(places / Math.ceil(e / columns));
}

/** Words of the buffer that a pass needs, for maps and for sums. */
export function bufferNeed(layer: LayerShape, { m, n, e, q, r, f }: Mapping): { maps: number; sums: number } {
  const rows = inputSpan(e, layer.filterHeight, layer.stride);
  const columns = inputSpan(f, layer.filterWidth, layer.stride);
  return { maps: n * q * r * rows * columns, sums: m * n * e * f };
}

/** What is wrong with a mapping, in words; null when nothing is. */
export function mappingFault(layer: LayerShape, mapping: Mapping, hardware: EyerissHardware): string | null {
  const { m, n, e, p, q, r, t, f } = mapping;
  const { filterHeight, filterWidth, channels, batch, outputHeight, outputWidth } = layer;
  for (const [letter, value] of Object.entries(mapping)) {
    if (!Number.isSafeInteger(value) || value < 1) return `${letter} = ${value} is not a whole number of at least 1`;
  }
  const filters = layer.filters / layer.groups;
  const most: readonly (readonly [string, number, number, string])[] = [
    ["n", n, batch, "the batch"],
    ["e", e, outputHeight, "the output rows"],
    ["f", f, outputWidth, "the output columns"],
    ["q r", q * r, roundUp(channels, r), "the channels in whole sets"],
    ["m", m, roundUp(filters, p * t), "the filters of a group in whole passes"],
    ["p q S", p * q * filterWidth, hardware.filterSpad, "the words of an element's filter memory"],
    ["q S", q * filterWidth, hardware.inputSpad, "the words of an element's input memory"],
    ["p", p, hardware.sumSpad, "the words of an element's memory of sums"],
    ["r t", r * t, setsThatFit(filterHeight, e, hardware), `the sets of ${filterHeight} x ${e} elements in the array`],
  ];
  const broken = most.find(([, value, limit]) => value > limit);
  if (broken !== undefined) return `${broken[0]} = ${broken[1]} is more than ${broken[2]}, ${broken[3]}`;
  if (m % (p * t) !== 0) return `m = ${m} is not a multiple of p t = ${p * t}`;
  const { maps, sums } = bufferNeed(layer, mapping);
  const bytes = ((maps + sums) * hardware.wordBits) / 8;
  return bytes <= hardware.bufferBytes ? null : `it needs ${bytes} of the buffer's ${hardware.bufferBytes} bytes`;
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

/** @throws VdnnError `ERR_INVALID_OPTION` with the limit that is broken */
export function requireLegal(layer: LayerShape, mapping: Mapping, hardware: EyerissHardware): void {
  const fault = mappingFault(layer, mapping, hardware);
  if (fault === null) return;
  throw new VdnnError("ERR_INVALID_OPTION", `mapping of ${layer.name} on ${hardware.name}: ${fault}`, {
    option: "mapping",
    layer: layer.name,
    got: mapping,
  });
}
