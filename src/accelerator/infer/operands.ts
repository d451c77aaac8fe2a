/**
 * Tensors of the layers that run on a registered accelerator. Its records have counts, not values; so its kernels are wrapped, by
 * TensorFlow.js's own registry, until the accelerator is disposed of.
 */
import type { TensorFlow, TensorInfo } from "../../runtime/engine.ts";
import { encode } from "../arithmetic/encode.ts";
import { ACCELERATED_KERNELS } from "../backend/accelerated.ts";
import type { AcceleratedLayer } from "../backend/records.ts";
import type { Accelerator } from "../backend/register.ts";
import type { Operands } from "./model.ts";

type Inputs = Readonly<Record<string, TensorInfo | null | undefined>>;

/** @returns the operands of each layer that has run since, in the encoding of the accelerator */
export function keepOperands(tf: TensorFlow, accelerator: Accelerator): ReadonlyMap<AcceleratedLayer, Operands> {
  const kept = new Map<AcceleratedLayer, Operands>();
  const { arithmetic, name: backendName } = accelerator;
  const valuesOf = (info: TensorInfo): Float32Array => {
    const values = tf.backend().readSync(info.dataId) as Float32Array;
    return values instanceof Float32Array ? values : Float32Array.from(values);
  };
  for (const kernelName of ACCELERATED_KERNELS) {
    const stock = tf.getKernel(kernelName, backendName);
    tf.unregisterKernel(kernelName, backendName);
    tf.registerKernel({
      ...stock,
      kernelFunc: (call) => {
        const before = accelerator.layers().length;
        const result = stock.kernelFunc(call);
        const layer = accelerator.layers()[before];
        const { x, filter, a, b, bias } = call.inputs as unknown as Inputs;
        const [inputs, weights] = [x ?? a, filter ?? b];
        const transposed = ["transposeA", "transposeB"].some((flag) => call.attrs?.[flag] === true);
        if (layer !== undefined && inputs && weights && !transposed) {
          const { codes } = encode(valuesOf(weights), arithmetic, "weights");
          kept.set(layer, {
            inputs: encode(valuesOf(inputs), arithmetic, "inputs").codes,
            weights: codes,
            bias: bias ? valuesOf(bias) : null,
            fingerprint: fingerprintOf(codes),
          });
        }
        return result;
      },
    });
  }
  return kept;
}

/** FNV-1a over the bits. */
function fingerprintOf(values: Float32Array): number {
  let hash = 0x811c9dc5;
  for (const bits of new Uint32Array(values.buffer, values.byteOffset, values.length)) {
    hash = Math.imul(hash ^ bits, 0x01000193);
  }
  return hash;
}
