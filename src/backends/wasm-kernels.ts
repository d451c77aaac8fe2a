/**
 * The kernels that TF.js's `wasm` backend lacks for training, so that it trains convolutions and embeddings, and a correct one in
 * place of its `MaxPoolGrad`: that starts the search for a maximum at the smallest positive number, so a window without positive
 * inputs sends its gradient to the wrong element.
 */
import type { TensorFlow } from "../runtime/engine.ts";
import { Calls, type ConvAttributes, type Info, type Kernel, type Shape4D, type WasmBackend } from "./wasm-calls.ts";
import {
  convFilterGradient,
  convInputGradient,
  depthwiseFilterGradient,
  depthwiseInputGradient,
} from "./wasm-convolution.ts";

export interface WasmKernelOptions {
  /**
   * Also replace the backend's own `Conv2DBackpropInput`, a plain loop, by a convolution: some 10 times faster, sums in another
   * order. Default false: a kernel that is there and right stays.
   */
  readonly fastInputGradient?: boolean;
}

export interface WasmKernels {
  /** Names of the kernels registered by this call. */
  readonly added: readonly string[];
  /** Takes them out again and puts back what they replaced. */
  unregister(): void;
}

const MISSING: Readonly<Record<string, Kernel>> = {
  Conv2DBackpropFilter: convFilterGradient,
  DepthwiseConv2dNativeBackpropFilter: depthwiseFilterGradient,
  DepthwiseConv2dNativeBackpropInput: depthwiseInputGradient,
  UnsortedSegmentSum: segmentSum,
};
const WRONG: Readonly<Record<string, Kernel>> = { MaxPoolGrad: maxPoolGradient };
const SLOW: Readonly<Record<string, Kernel>> = { Conv2DBackpropInput: convInputGradient };

/** Kernel functions made here, to tell them from the backend's own. */
const ours = new WeakSet<object>();

/** Registers what is missing and replaces what is wrong. A second call finds nothing to do. */
export function registerWasmTrainingKernels(tf: TensorFlow, options: WasmKernelOptions = {}): WasmKernels {
  const replacements = options.fastInputGradient === true ? { ...WRONG, ...SLOW } : WRONG;
  const added: string[] = [];
  const undo: (() => void)[] = [];
  for (const [kernelName, kernel] of Object.entries({ ...MISSING, ...replacements })) {
    const present = tf.getKernel(kernelName, "wasm");
    if (present !== undefined && (kernelName in MISSING || ours.has(present.kernelFunc))) continue;
    if (present !== undefined) tf.unregisterKernel(kernelName, "wasm");
    const kernelFunc = ({ inputs, attrs, backend }: { inputs: unknown; attrs?: unknown; backend: unknown }) =>
      kernel(inputs as Record<string, Info>, attrs as ConvAttributes, new Calls(tf, backend as WasmBackend));
    ours.add(kernelFunc);
    tf.registerKernel({ kernelName, backendName: "wasm", kernelFunc });
    added.push(kernelName);
    undo.push(() => {
      tf.unregisterKernel(kernelName, "wasm");
      if (present !== undefined) tf.registerKernel(present);
    });
  }
  return {
    added,
    unregister() {
      for (const step of undo.splice(0)) step();
    },
  };
}

/** Adds row n of x to row segmentIds[n] of the result; ids outside the result are ignored, as on the cpu backend. */
function segmentSum(inputs: Record<string, Info>, { numSegments }: ConvAttributes, call: Calls): Info {
  const { x, segmentIds } = inputs as { x: Info; segmentIds: Info };
  const inner = x.shape.slice(segmentIds.shape.length);
  const width = inner.reduce((product, size) => product * size, 1);
  const result = call.output([numSegments, ...inner]);
  const [rows, ids, target] = call.views(x, segmentIds, result) as [Float32Array, Float32Array, Float32Array];
  target.fill(0);
  for (let n = 0, from = 0; n < ids.length; n++) {
    const segment = ids[n] as number;
    if (segment < 0 || segment >= numSegments) {
      from += width;
      continue;
    }
    for (let at = segment * width, end = at + width; at < end; at++, from++) {
      target[at] = (target[at] as number) + (rows[from] as number);
    }
  }
  return call.finish(result);
}

/** Every output pixel's gradient goes to the first largest element of its window. */
function maxPoolGradient(inputs: Record<string, Info>, attributes: ConvAttributes, call: Calls): Info {
  const { input, dy } = inputs as { input: Info; dy: Info };
  const info = call.poolGeometry(input.shape as Shape4D, attributes);
  const result = call.output(input.shape);
  const [x, upstream, target] = call.views(input, dy, result) as [Float32Array, Float32Array, Float32Array];
  target.fill(0);
  const { batchSize, inHeight, inWidth, inChannels, outHeight, outWidth, padInfo } = info;
  let out = 0;
  for (let b = 0; b < batchSize; b++) {
    for (let y = 0; y < outHeight; y++) {
      const top = y * info.strideHeight - padInfo.top;
      const [firstRow, lastRow] = [Math.max(0, top), Math.min(inHeight, top + info.filterHeight)];
      for (let column = 0; column < outWidth; column++) {
        const left = column * info.strideWidth - padInfo.left;
        const [firstColumn, lastColumn] = [Math.max(0, left), Math.min(inWidth, left + info.filterWidth)];
        for (let channel = 0; channel < inChannels; channel++, out++) {
          let best = -1;
          for (let row = firstRow; row < lastRow; row++) {
            let at = ((b * inHeight + row) * inWidth + firstColumn) * inChannels + channel;
            for (let k = firstColumn; k < lastColumn; k++, at += inChannels) {
              if (best < 0 || (x[at] as number) > (x[best] as number)) best = at;
            }
          }
          if (best >= 0) target[best] = (target[best] as number) + (upstream[out] as number);
        }
      }
    }
  }
  return call.finish(result);
}
