/**
 * Convolutions as matrix products. A patch is what the filters see of the input at one output pixel, in the order of the filter's
 * rows, columns and channels, with zeros where it reaches into the padding. As a matrix, patches take filterHeight · filterWidth as
 * much memory as the map, so they are made a part of the output at a time.
 */
import type { TensorFlow } from "../../runtime/engine.ts";

export type ConvGeometry = ReturnType<TensorFlow["backend_util"]["computeConv2DInfo"]>;

/** How often each element of a patch was what, over all output pixels so far. */
export interface PatchCounts {
  readonly pixels: number;
  readonly nonZero: Float64Array;
  readonly padding: Float64Array;
}

export class PatchCounter implements PatchCounts {
  pixels = 0;
  readonly nonZero: Float64Array;
  readonly padding: Float64Array;

  constructor(depth: number) {
    this.nonZero = new Float64Array(depth);
    this.padding = new Float64Array(depth);
  }

  /** @param patches [pixels, depth] */
  addValues(patches: Float32Array): void {
    const { nonZero } = this;
    const depth = nonZero.length;
    this.pixels += patches.length / depth;
    for (let at = 0; at < patches.length; at += depth) {
      for (let k = 0; k < depth; k++) if (patches[at + k] !== 0) nonZero[k] = (nonZero[k] as number) + 1;
    }
  }

  addPadding(first: number, elements: number): void {
    for (let k = first; k < first + elements; k++) this.padding[k] = (this.padding[k] as number) + 1;
  }
}

/** Patches [last - first, depth] of the output pixels from `first` to `last`, counted through the batch. NHWC. */
export function patchesOf(
  x: Float32Array,
  info: ConvGeometry,
  first: number,
  last: number,
  counter: PatchCounter,
): Float32Array {
  const { inHeight, inWidth, inChannels, filterHeight, filterWidth, outHeight, outWidth, padInfo } = info;
  const depth = filterHeight * filterWidth * inChannels;
  const patches = new Float32Array((last - first) * depth);
  for (let pixel = first; pixel < last; pixel++) {
    const image = Math.floor(pixel / (outHeight * outWidth));
    const top = (Math.floor(pixel / outWidth) % outHeight) * info.strideHeight - padInfo.top;
    const left = (pixel % outWidth) * info.strideWidth - padInfo.left;
    const start = (pixel - first) * depth;
    for (let row = 0; row < filterHeight; row++) {
      const y = top + row * info.dilationHeight;
      for (let column = 0; column < filterWidth; column++) {
        const xAt = left + column * info.dilationWidth;
        const at = (row * filterWidth + column) * inChannels;
        if (y < 0 || y >= inHeight || xAt < 0 || xAt >= inWidth) {
          counter.addPadding(at, inChannels);
          continue;
        }
        const from = ((image * inHeight + y) * inWidth + xAt) * inChannels;
        patches.set(x.subarray(from, from + inChannels), start + at);
      }
    }
  }
  counter.addValues(patches);
  return patches;
}

/** A matrix [rows, columns] turned into [columns, rows]. */
export function transposed(matrix: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(matrix.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      result[column * rows + row] = matrix[row * columns + column] as number;
    }
  }
  return result;
}
