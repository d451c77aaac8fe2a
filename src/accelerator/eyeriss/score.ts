/** What makes one mapping better than another: time with transfers, then DRAM traffic, then energy. Maps are taken as dense. */
import { EYERISS_NORMALIZED } from "../energy-data.ts";
import type { LayerShape } from "../layer.ts";
import { type EyerissHardware, portWords } from "./hardware.ts";
import type { Mapping } from "./mapping.ts";
import { trafficOf } from "./traffic.ts";

/** Smaller is better, earlier fields first. */
export interface MappingScore {
  readonly ms: number;
  readonly dramWords: number;
  /** Of what depends on the mapping, in 16-bit MACs. */
  readonly energy: number;
}

/** Scores every mapping loses to. */
export const NO_SCORE: MappingScore = { ms: Infinity, dramWords: Infinity, energy: Infinity };

/** Times that rounding alone keeps apart. */
const SAME_TIME = 1e-9;

export function scoreOf(layer: LayerShape, mapping: Mapping, hardware: EyerissHardware): MappingScore {
  const { cycles, dram: words, bufferWords, arrayWords } = trafficOf(layer, mapping, hardware);
  const maps = words.inputs + words.outputs;
  const dramWords = words.weights + maps;
  const { dram, buffer, array } = EYERISS_NORMALIZED;
  return {
    ms: totalMs(cycles, { maps, all: dramWords }, hardware),
    dramWords,
    energy: dram * dramWords + buffer * bufferWords + array * arrayWords,
  };
}

/**
 * Processing, and what it does not hide of the maps' transfers; but never less than the link needs for all words. No convolution
 * that was measured is bound by the link; fully connected layers are.
 */
export function totalMs(
  cycles: number,
  words: { readonly maps: number; readonly all: number },
  hardware: EyerissHardware,
): number {
  const exposed = hardware.exposedShare * linkMs(words.maps, hardware);
  return Math.max(cycles / (hardware.coreMHz * 1e3) + exposed, linkMs(words.all, hardware));
}

export function linkMs(words: number, hardware: EyerissHardware): number {
  return words / portWords(hardware) / (hardware.linkMHz * 1e3);
}

export function isBetter(a: MappingScore, b: MappingScore): boolean {
  if (!isSameTime(a.ms, b.ms)) return a.ms < b.ms;
  return a.dramWords === b.dramWords ? a.energy < b.energy : a.dramWords < b.dramWords;
}

export function isSameTime(a: number, b: number): boolean {
  return a === b || Math.abs(a - b) <= SAME_TIME * Math.min(a, b);
}
