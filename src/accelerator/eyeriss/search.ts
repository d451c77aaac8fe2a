/**
 * The best legal mapping of a layer (score.ts). Exhaustive up to mappings that cannot be better.
 *
 * Note [Balanced parts]
 * ~~~~~~~~~~~~~~~~~~~~~
 * Cut into k parts, a length is best cut evenly: the time of a pass is convex in each of n, e and f, the halo depends on k alone,
 * and smaller parts need less of every memory. The same holds for p and q, given t and r and the number of passes. So of each
 * letter only the values ceil(length / k) are tried, about 2 sqrt(length) of them; and of t and r only those that save a pass.
 */
import { EYERISS_NORMALIZED } from "../energy-data.ts";
import type { LayerShape } from "../layer.ts";
import { type Block, blockOf } from "./blocks.ts";
import { type EyerissHardware, portWords } from "./hardware.ts";
import { type Mapping, setsThatFit } from "./mapping.ts";
import { isBetter, type MappingScore, NO_SCORE, scoreOf, totalMs } from "./score.ts";

export interface SearchOptions {
  /**
   * Also cut rows of a map into strips of columns. Default: only where a row does not fit the buffer, as the published mappings
   * take rows whole.
   */
  readonly columnStrips?: boolean;
}

/** Null where the layer's filter does not fit the array or an element's memories, or nothing fits the buffer. */
export function bestMapping(
  layer: LayerShape,
  hardware: EyerissHardware,
  { columnStrips = false }: SearchOptions = {},
): Mapping | null {
  const { filterHeight, filterWidth, batch, outputHeight, outputWidth } = layer;
  if (filterHeight > hardware.rows || filterWidth > Math.min(hardware.inputSpad, hardware.filterSpad)) return null;
  const search: Search = { layer, hardware, best: null, score: NO_SCORE };
  const heights = balanced(outputHeight).filter((e) => setsThatFit(filterHeight, e, hardware) > 0);
  for (const f of balanced(outputWidth)) {
    const blocks = balanced(batch).flatMap((n) => heights.map((e) => blockOf(layer, hardware, { n, e, f })));
    // The most promising first, so that its score rules the others out.
    for (const block of blocks.toSorted((a, b) => a.leastMs - b.leastMs)) searchBlock(search, block);
    if (search.best !== null && !columnStrips) break;
  }
  return search.best;
}

interface Search {
  readonly layer: LayerShape;
  readonly hardware: EyerissHardware;
  best: Mapping | null;
  score: MappingScore;
}

/** `ceil(length / k)` for every k, the largest first, each once; none above `most`. */
export function balanced(length: number, most: number = length): number[] {
  const sizes: number[] = [];
  let limit = Math.min(length, most);
  while (limit >= 1) {
    const size = Math.ceil(length / Math.ceil(length / limit));
    sizes.push(size);
    limit = size - 1;
  }
  return sizes;
}

/** All replications of the sets, as many sets as possible first. */
function searchBlock(search: Search, block: Block): void {
  const words = block.leastWords;
  const { layer, hardware } = search;
  if (!isPromising(search, { ms: block.leastMs, dramWords: words.all, energy: 0 })) return;
  const { channels, groups, filterWidth } = layer;
  const filters = layer.filters / groups;
  const filterLoad = block.filterWords / portWords(hardware);
  const mostChannels = Math.floor(hardware.inputSpad / filterWidth);
  for (let t = Math.min(block.sets, filters); t >= 1; t--) {
    const filtersPerSet = Math.ceil(filters / t);
    const filterSizes = balanced(filtersPerSet, hardware.sumSpad);
    for (let r = Math.min(Math.floor(block.sets / t), channels); r >= 1; r--) {
      const channelsPerSet = Math.ceil(channels / r);
      const passes = Math.ceil(filtersPerSet / hardware.sumSpad) * Math.ceil(channelsPerSet / mostChannels);
      const setUp = block.count * groups * passes * hardware.passCycles;
      const macs = groups * block.columns * filterWidth * filtersPerSet * channelsPerSet + filterLoad + setUp;
      // Fewer sets for channels are slower still.
      if (!isPromising(search, { ms: totalMs(macs, words, hardware), dramWords: words.all, energy: 0 })) break;
      searchElement(search, block, { t, r, filterSizes, channelSizes: balanced(channelsPerSet, mostChannels) });
    }
  }
}

interface Replication {
  readonly t: number;
  readonly r: number;
  readonly filterSizes: readonly number[];
  readonly channelSizes: readonly number[];
}

/** What takes turns in an element, and as many filters in the buffer as there is room for. */
function searchElement(search: Search, block: Block, { t, r, filterSizes, channelSizes }: Replication): void {
  const { layer, hardware } = search;
  const { channels, groups, filterHeight, filterWidth } = layer;
  const filters = layer.filters / groups;
  const port = portWords(hardware);
  const macsPerChannel = groups * block.columns * filterWidth * Math.ceil(filters / t);
  const words = block.leastWords;
  for (const q of channelSizes) {
    const channelPasses = Math.ceil(channels / (q * r));
    // Note [Balanced parts]: with one set less it takes as many passes.
    if (r > 1 && Math.ceil(channels / (q * (r - 1))) === channelPasses) continue;
    const mostFilters = Math.min(hardware.sumSpad, Math.floor(hardware.filterSpad / (q * filterWidth)));
    const fewestPasses = Math.ceil(filters / (mostFilters * t));
    const setUp = block.count * groups * channelPasses * fewestPasses * hardware.passCycles;
    const ms = totalMs(q * channelPasses * macsPerChannel + setUp, words, hardware);
    const energy = energyAtLeast(block, words.all, {
      channelPasses,
      fetches: block.leastFetches,
      filterPasses: fewestPasses,
    });
    if (!isPromising(search, { ms, dramWords: words.all, energy })) continue;

    const room = Math.floor((block.roomWords - q * r * block.channelWords) / block.sumWords);
    for (const p of filterSizes) {
      if (p * t > room || p > mostFilters) continue;
      const filterPasses = Math.ceil(filters / (p * t));
      if (t > 1 && Math.ceil(filters / (p * (t - 1))) === filterPasses) continue;
      const filterLoad = (p * t * q * r * filterHeight * filterWidth) / port;
      let cycles = block.count * hardware.passCycles;
      for (const { count, columns, outputs } of block.passSizes) {
        cycles += count * Math.max(p * q * filterWidth * columns + filterLoad, (p * t * outputs) / port);
      }
      const filterBlocks = Math.ceil(filterPasses / Math.floor(room / (p * t)));
      const maps = filterBlocks * block.inputWords + block.outputWords;
      const all = maps + block.filterWords;
      const score = {
        ms: totalMs(cycles * groups * filterPasses * channelPasses, { maps, all }, hardware),
        dramWords: all,
        energy: energyAtLeast(block, all, { channelPasses, fetches: filterBlocks, filterPasses }),
      };
      if (!isPromising(search, score)) continue;
      propose(search, { m: p * t * Math.ceil(filterPasses / filterBlocks), ...block.sizes, p, q, r, t });
    }
  }
}

/** Of DRAM and buffer alone. */
function energyAtLeast(
  { inputWords, outputWords }: Block,
  dramWords: number,
  { channelPasses, fetches, filterPasses }: { channelPasses: number; fetches: number; filterPasses: number },
): number {
  const bufferWords = 2 * channelPasses * outputWords + inputWords * (fetches + filterPasses);
  return EYERISS_NORMALIZED.dram * dramWords + EYERISS_NORMALIZED.buffer * bufferWords;
}

/** A mapping that is at least this good could be better than the best so far. */
function isPromising({ best, score }: Search, atBest: MappingScore): boolean {
  return best === null || isBetter(atBest, score);
}

function propose(search: Search, mapping: Mapping): void {
  const score = scoreOf(search.layer, mapping, search.hardware);
  if (search.best !== null && !isBetter(score, search.score)) return;
  search.best = mapping;
  search.score = score;
}
