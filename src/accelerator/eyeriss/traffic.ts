/**
 * The closed form of row stationary: passes, cycles and words at each level that follow from a layer and a mapping. Published are
 * the mapping's meaning and the widths of memories and ports (JSSC 2017); derived are the counts; fitted is one constant of the
 * hardware, `passCycles`. Maps are counted dense here: densities come in cost.ts. Pure.
 *
 * Note [What bounds a pass]
 * ~~~~~~~~~~~~~~~~~~~~~~~~~
 * While the elements work through p q S MACs for each of f columns of n maps, partial sums come from the buffer and return to it
 * over one 64-bit port. Whichever takes longer is the pass; VGG-16's CONV1 to 4 are bound by the port.
 *
 *     filters in | p q S f n cycles of MACs              | set-up of the next pass
 *                | p t e f n sums over the port, 4 a cycle
 */
import type { LayerShape } from "../layer.ts";
import { type EyerissHardware, portWords } from "./hardware.ts";
import { inputSpan, type Mapping, partsOf } from "./mapping.ts";

export interface Traffic {
  readonly passes: number;
  readonly cycles: number;
  /** On average over the strips of a layer, the last of which may be short. */
  readonly activePes: number;
  /** Words between DRAM and buffer, maps not compressed. */
  readonly dram: { readonly weights: number; readonly inputs: number; readonly outputs: number };
  /** Partial sums written and read in every pass, maps written once per fetch and read once per group of filters. */
  readonly bufferWords: number;
  /** Words delivered to elements, and sums passed from one to the next. */
  readonly arrayWords: number;
}

export function trafficOf(layer: LayerShape, mapping: Mapping, hardware: EyerissHardware): Traffic {
  const { channels, groups, filterHeight, filterWidth, outputHeight, outputWidth, stride, batch, filters } = layer;
  const { m, n, e, p, q, r, t, f } = mapping;
  const [images, rows, columns] = [partsOf(batch, n), partsOf(outputHeight, e), partsOf(outputWidth, f)];
  const filterPasses = groups * Math.ceil(filters / groups / (p * t));
  const filterBlocks = groups * Math.ceil(filters / groups / m);
  const channelPasses = Math.ceil(channels / (q * r));
  const port = portWords(hardware);
  const filterLoad = (p * t * q * r * filterHeight * filterWidth) / port;

  let cycles = 0;
  let blocks = 0;
  let inputArea = 0;
  let inputRowWords = 0;
  for (const image of images) {
    for (const row of rows) {
      for (const column of columns) {
        const count = image.count * row.count * column.count;
        const macs = p * q * filterWidth * column.size * image.size;
        const sums = p * t * row.size * column.size * image.size;
        // Note [What bounds a pass]
        cycles += count * (Math.max(macs + filterLoad, sums / port) + hardware.passCycles);
        blocks += count;
        const width = inputSpan(column.size, filterWidth, stride);
        inputArea += count * image.size * inputSpan(row.size, filterHeight, stride) * width;
        inputRowWords += count * image.size * row.size * filterHeight * width;
      }
    }
  }
  const passesPerBlock = filterPasses * channelPasses;
  const weights = filters * channels * filterHeight * filterWidth;
  const outputs = batch * filters * outputHeight * outputWidth;
  const inputsPerFetch = channels * inputArea;
  const stripsOfRows = Math.ceil(outputHeight / e);
  return {
    passes: blocks * passesPerBlock,
    cycles: cycles * passesPerBlock,
    activePes: filterHeight * r * t * (outputHeight / stripsOfRows),
    dram: { weights: weights * blocks, inputs: filterBlocks * inputsPerFetch, outputs },
    bufferWords: 2 * channelPasses * outputs + inputsPerFetch * (filterBlocks + filterPasses),
    arrayWords:
      // An input row goes to each element on its diagonal, in every set of filters.
      channels * inputRowWords * filterPasses * t +
      // A filter row goes to every element of its row of the set, e of them.
      (weights * blocks * outputHeight) / stripsOfRows +
      // A sum travels up its column, through the sets that add to it.
      outputs * channelPasses * (filterHeight * r - 1),
  };
}
