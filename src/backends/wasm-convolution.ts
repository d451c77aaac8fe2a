/**
 * Gradients of convolutions on the wasm backend, NHWC and dilation 1. The heavy part is done by kernels the backend has: XNNPACK's
 * matrix product and convolutions run at some 20 GFLOP/s here, a loop in JavaScript at about 1.
 */
import type { Calls, ConvAttributes, ConvInfo, Info, Shape4D } from "./wasm-calls.ts";

/** Floats of x and dY per block: 256 KiB, so that a block stays in the processor's second-level cache. */
const BLOCK_FLOATS = 65_536;

/**
 * Note [Filter gradient by taps]. dW[r, c] is a matrix product over all output pixels: what tap (r, c) saw of x, channel by
 * channel [I × N], times dY [N × O]. It is summed up over blocks of rows that fit the cache, for XNNPACK does not split N. The usual
 * trick, one convolution with batch and channels swapped, needs full transposed copies of x and dY, and is several times slower
 * for 1×1 filters, few channels or small batches.
 */
export function convFilterGradient(inputs: Record<string, Info>, attributes: ConvAttributes, call: Calls): Info {
  const { x, dy } = inputs as { x: Info; dy: Info };
  const info = call.geometry(x.shape as Shape4D, attributes.filterShape, attributes, false);
  const { filterHeight, filterWidth, inChannels, outChannels, outWidth } = info;
  const result = call.output(info.filterShape);
  for (const filled of call.views(result)) filled.fill(0);
  const outRows = info.batchSize * info.outHeight;
  const pixelsPerBlock = Math.max(256, BLOCK_FLOATS / (inChannels + outChannels));
  const rowsPerBlock = Math.max(1, Math.floor(pixelsPerBlock / outWidth));
  for (let begin = 0; begin < outRows; begin += rowsPerBlock) {
    const end = Math.min(outRows, begin + rowsPerBlock);
    const pixels = (end - begin) * outWidth;
    // A fresh tensor per block: the backend keeps a packed copy of a right-hand side, by tensor id, until it is freed.
    const upstream = call.scratch([1, pixels, outChannels]);
    const seen = call.scratch([1, inChannels, pixels]);
    const [source, block] = call.views(dy, upstream) as [Float32Array, Float32Array];
    block.set(source.subarray(begin * outWidth * outChannels, end * outWidth * outChannels));
    for (let tap = 0; tap < filterHeight * filterWidth; tap++) {
      const [from, to] = call.views(x, seen) as [Float32Array, Float32Array];
      gatherTap(info, rowsOfTap(info, tap, begin, end), pixels, from, to);
      const product = call.run("BatchMatMul", { a: seen, b: upstream }, { transposeA: false, transposeB: false });
      const [values, sums] = call.views(product, result) as [Float32Array, Float32Array];
      addInto(sums, tap * values.length, values);
      call.free(product);
    }
    call.free(upstream);
    call.free(seen);
  }
  return call.finish(result);
}

// The inner loops are functions of their own, so that the compiler optimizes them once and for all.
function gatherTap(
  info: ConvInfo,
  { rows, first, last }: TapRows,
  pixels: number,
  from: Float32Array,
  to: Float32Array,
): void {
  const { inChannels, strideWidth, outWidth } = info;
  if (rows.length * outWidth < 2 * pixels || last - first < outWidth) to.fill(0);
  for (let n = 0; n < rows.length; n += 2) {
    const start = ((rows[n] as number) + first * strideWidth) * inChannels;
    for (let i = 0; i < inChannels; i++) {
      const at = i * pixels + (rows[n + 1] as number);
      let pixel = start + i;
      for (let k = at + first; k < at + last; k++, pixel += strideWidth * inChannels) to[k] = from[pixel] as number;
    }
  }
}

function addInto(sums: Float32Array, at: number, values: Float32Array): void {
  for (let k = 0; k < values.length; k++) sums[at + k] = (sums[at + k] as number) + (values[k] as number);
}

interface TapRows {
  readonly rows: Int32Array;
  readonly first: number;
  readonly last: number;
}

/**
 * Of the output rows [begin, end), counted through the batch, those whose tap lies inside x, as pairs of pixel numbers: of the
 * pixel of x under output column 0 (outside its row where that is padding), and of column 0 itself, from `begin` on. [first, last)
 * are the columns that are no padding.
 */
function rowsOfTap(info: ConvInfo, tap: number, begin: number, end: number): TapRows {
  const { inHeight, inWidth, outHeight, outWidth, filterWidth, strideHeight, strideWidth, padInfo } = info;
  const left = (tap % filterWidth) - padInfo.left;
  const top = Math.floor(tap / filterWidth) - padInfo.top;
  const first = Math.min(outWidth, Math.max(0, Math.ceil(-left / strideWidth)));
  const last = Math.max(first, Math.min(outWidth, Math.ceil((inWidth - left) / strideWidth)));
  const rows = new Int32Array(2 * (end - begin));
  let count = 0;
  for (let outRow = begin; outRow < end; outRow++) {
    const row = top + (outRow % outHeight) * strideHeight;
    if (row < 0 || row >= inHeight) continue;
    rows[count++] = (Math.floor(outRow / outHeight) * inHeight + row) * inWidth + left;
    rows[count++] = (outRow - begin) * outWidth;
  }
  return { rows: rows.subarray(0, count), first, last };
}

export function depthwiseFilterGradient(inputs: Record<string, Info>, attributes: ConvAttributes, call: Calls): Info {
  const { x, dy } = inputs as { x: Info; dy: Info };
  const info = call.geometry(x.shape as Shape4D, attributes.filterShape, attributes, true);
  const { inChannels, outChannels, strideWidth } = info;
  const plane = info.batchSize * info.inHeight * info.inWidth;
  const pixels = info.batchSize * info.outHeight * info.outWidth;
  const result = call.output(info.filterShape);
  const xPlanes = call.planes(x, plane, inChannels);
  const dyPlanes = call.planes(dy, pixels, outChannels);
  const [seen, upstream, target] = call.views(xPlanes, dyPlanes, result) as [Float32Array, Float32Array, Float32Array];
  for (let tap = 0; tap < info.filterHeight * info.filterWidth; tap++) {
    const { rows, first, last } = rowsOfTap(info, tap, 0, info.batchSize * info.outHeight);
    for (let o = 0; o < outChannels; o++) {
      const channel = Math.floor((o * inChannels) / outChannels) * plane;
      let sum = 0;
      for (let n = 0; n < rows.length; n += 2) {
        let pixel = channel + (rows[n] as number) + first * strideWidth;
        const at = o * pixels + (rows[n + 1] as number);
        for (let k = at + first; k < at + last; k++, pixel += strideWidth) {
          sum += (seen[pixel] as number) * (upstream[k] as number);
        }
      }
      target[tap * outChannels + o] = sum;
    }
  }
  return call.finish(result);
}

/**
 * Note [Input gradient by convolution]. dX is the convolution, with stride 1, of dY with stride - 1 zeros put after each of its
 * pixels, and the filter turned by 180°. The zeros waste products, at ten times the speed of the backend's own loop.
 */
function convolveBack(kernelName: string, dy: Info, turned: Info, info: ConvInfo, call: Calls): Info {
  const { batchSize, filterHeight, filterWidth, inHeight, inWidth, outHeight, outWidth, outChannels, padInfo } = info;
  const { strideHeight, strideWidth } = info;
  /** Appends to every row of a matrix as many zeros as make it `times` as long. */
  const lengthen = (x: Info, rows: number, columns: number, times: number): Info => {
    if (times === 1) return x;
    const extra = [0, columns * (times - 1)];
    return call.run("PadV2", { x: { ...x, shape: [rows, columns] } }, { paddings: [[0, 0], extra], constantValue: 0 });
  };
  const height = outHeight * strideHeight;
  const width = outWidth * strideWidth;
  const wide = lengthen(dy, batchSize * outHeight * outWidth, outChannels, strideWidth);
  const grid = lengthen(wide, batchSize * outHeight, width * outChannels, strideHeight);
  const top = filterHeight - 1 - padInfo.top;
  const left = filterWidth - 1 - padInfo.left;
  // Negative where padding exceeds the filter, or the last zeros reach past dX: then dX is cut out of a larger result.
  const bottom = inHeight + padInfo.top - height;
  const right = inWidth + padInfo.left - width;
  const rows = [Math.max(0, top), Math.max(0, bottom)];
  const columns = [Math.max(0, left), Math.max(0, right)];
  const full = call.run(
    kernelName,
    { x: { ...grid, shape: [batchSize, height, width, outChannels] }, filter: turned },
    { strides: [1, 1], dilations: [1, 1], pad: [[0, 0], rows, columns, [0, 0]], dataFormat: "NHWC" },
  );
  if (full.shape[1] === inHeight && full.shape[2] === inWidth) return full;
  const begin = [0, Math.max(0, -top), Math.max(0, -left), 0];
  return call.run("Slice", { x: full }, { begin, size: [batchSize, inHeight, inWidth, full.shape[3]] });
}

export function convInputGradient(inputs: Record<string, Info>, attributes: ConvAttributes, call: Calls): Info {
  const { dy, filter } = inputs as { dy: Info; filter: Info };
  const info = call.geometry(attributes.inputShape, filter.shape as Shape4D, attributes, false);
  const reversed = call.run("Reverse", { x: filter }, { dims: [0, 1] });
  const turned = call.run("Transpose", { x: reversed }, { perm: [0, 1, 3, 2] });
  return call.finish(convolveBack("Conv2D", dy, turned, info, call));
}

export function depthwiseInputGradient(inputs: Record<string, Info>, attributes: ConvAttributes, call: Calls): Info {
  const { dy, filter } = inputs as { dy: Info; filter: Info };
  const info = call.geometry(attributes.inputShape, filter.shape as Shape4D, attributes, true);
  const { filterHeight, filterWidth, inChannels, outChannels } = info;
  const reversed = call.run("Reverse", { x: filter }, { dims: [0, 1] });
  // Every output channel has its own filter; channels that share an input channel are added up below.
  const turned = { ...reversed, shape: [filterHeight, filterWidth, outChannels, 1] };
  const perOutput = convolveBack("DepthwiseConv2dNative", dy, turned, info, call);
  if (inChannels === outChannels) return call.finish(perOutput);
  const grouped = { ...perOutput, shape: [...info.inShape, outChannels / inChannels] };
  return call.finish(call.run("Sum", { x: grouped }, { axis: 4, keepDims: false }));
}
