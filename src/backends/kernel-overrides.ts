/** Kernels of a backend in another version, for the time of a session. */
import type { EngineBackend, NamedTensors, TensorFlow, TensorInfo } from "../runtime/engine.ts";

export interface KernelCall {
  readonly inputs: NamedTensors;
  readonly attrs: object;
  readonly backend: EngineBackend;
}

export type KernelFunction = (call: KernelCall) => TensorInfo | TensorInfo[];

type KernelConfig = Parameters<TensorFlow["registerKernel"]>[0];

/**
 * Replaces the kernels of a backend that are registered.
 *
 * @param version makes a kernel's new version from the stock one
 * @returns the function that puts the stock ones back
 */
export function overrideKernels(
  tf: TensorFlow,
  backendName: string,
  names: readonly string[],
  version: (stock: KernelFunction, name: string) => KernelFunction,
): () => void {
  const undo = names.map((kernelName) => {
    const stock = tf.getKernel(kernelName, backendName);
    if (stock === undefined) return () => undefined;
    const kernelFunc = version(stock.kernelFunc as unknown as KernelFunction, kernelName);
    tf.unregisterKernel(kernelName, backendName);
    tf.registerKernel({ kernelName, backendName, kernelFunc } as unknown as KernelConfig);
    return () => {
      tf.unregisterKernel(kernelName, backendName);
      tf.registerKernel(stock);
    };
  });
  return () => undo.forEach((restore) => restore());
}
