/** A choice of n, e and f, and all that follows from it whatever the other letters are: the frame in which the search looks. */
import { type LayerShape, weightsOf } from "../layer.ts";
import { type EyerissHardware, portWords } from "./hardware.ts";
import { inputSpan, type Mapping, partsOf, setsThatFit } from "./mapping.ts";
import { totalMs } from "./score.ts";

export interface Block {
  readonly sizes: Pick<Mapping, "n" | "e" | "f">;
  /** Sets in the array. */
  readonly sets: number;
  readonly passSizes: readonly PassSize[];
  /** How often each pass is run: the sum of `passSizes`' counts. */
  readonly count: number;
  /** The same of maps, with their columns. */
  readonly columns: number;
  /** Words of maps in a fetch of all channels, of outputs, and of filters, all of the layer. */
  readonly inputWords: number;
  readonly outputWords: number;
  readonly filterWords: number;
  /** Room in the buffer per map of a pass, and what one channel and one filter take of it. */
  readonly roomWords: number;
  readonly channelWords: number;
  readonly sumWords: number;
  /** Fetches of the inputs, as all filters' sums do not fit the buffer together. Infinite where those of one do not. */
  readonly leastFetches: number;
  /** Over the link with as few fetches. */
  readonly leastWords: { readonly maps: number; readonly all: number };
  /** No mapping with these n, e and f is faster. */
  readonly leastMs: number;
}

/** Passes that are alike, which occur `count` times. */
export interface PassSize {
  readonly count: number;
  /** Columns of output times maps. */
  readonly columns: number;
  /** Per filter. */
  readonly outputs: number;
}

export function blockOf(layer: LayerShape, hardware: EyerissHardware, sizes: Block["sizes"]): Block {
  const { batch, outputHeight, outputWidth, channels, groups, filters, filterHeight, filterWidth, stride } = layer;
  const { n, e, f } = sizes;
  const passSizes: PassSize[] = [];
  let [count, columns, inputs] = [0, 0, 0];
  for (const image of partsOf(batch, n)) {
    for (const row of partsOf(outputHeight, e)) {
      for (const column of partsOf(outputWidth, f)) {
        const times = image.count * row.count * column.count;
        const width = image.size * column.size;
        passSizes.push({ count: times, columns: width, outputs: width * row.size });
        count += times;
        columns += times * width;
        const height = inputSpan(row.size, filterHeight, stride);
        inputs += times * image.size * height * inputSpan(column.size, filterWidth, stride);
      }
    }
  }
  const roomWords = (hardware.bufferBytes * 8) / hardware.wordBits / n;
  const channelWords = inputSpan(e, filterHeight, stride) * inputSpan(f, filterWidth, stride);
  const mostFilters = Math.floor((roomWords - channelWords) / (e * f));
  const leastFetches = mostFilters < 1 ? Number.POSITIVE_INFINITY : Math.ceil(filters / groups / mostFilters);
  const inputWords = inputs * channels * groups;
  const outputWords = filters * batch * outputHeight * outputWidth;
  const filterWords = weightsOf(layer) * count;
  const maps = leastFetches * inputWords + outputWords;
  const frame = {
    sizes,
    sets: setsThatFit(filterHeight, e, hardware),
    passSizes,
    count,
    columns,
    inputWords,
    outputWords,
    filterWords,
    roomWords,
    channelWords,
    sumWords: e * f,
    leastFetches,
    leastWords: { maps, all: maps + filterWords },
  };
  return { ...frame, leastMs: leastMs(layer, hardware, frame) };
}

/** With every element busy, the port never idle, and passes as few as the elements' memories allow. */
function leastMs(layer: LayerShape, hardware: EyerissHardware, block: Omit<Block, "leastMs">): number {
  const { channels, groups, filterWidth } = layer;
  const { sets, count, columns, outputWords, filterWords, leastWords } = block;
  const filters = layer.filters / groups;
  const port = portWords(hardware);
  const channelsOfElement = Math.floor(hardware.inputSpad / filterWidth);
  const mostChannels = channelsOfElement * sets;
  // p q of an element, in all sets.
  const mostAtOnce =
    Math.min(hardware.sumSpad * channelsOfElement, Math.floor(hardware.filterSpad / filterWidth)) * sets;
  const leastPasses = count * groups * Math.ceil((filters * channels) / mostAtOnce);
  const macs = (groups * columns * filterWidth * filters * channels) / sets + filterWords / port;
  const sums = (Math.ceil(channels / mostChannels) * outputWords) / port;
  const cycles = Math.max(macs, sums) + leastPasses * hardware.passCycles;
  return totalMs(cycles, leastWords, hardware);
}
