/**
 * Slices with textures of their own. Stock TF.js lets a contiguous slice of an unpacked tensor see that tensor's texture from an
 * offset on, which keeps the whole texture alive as long as any slice of it, whatever becomes of the tensor. A texture that belongs
 * to one tensor can leave the device and be counted.
 */
import type { TensorFlow, TensorInfo } from "../runtime/engine.ts";
import { overrideKernels } from "./kernel-overrides.ts";
import type { WebGlBackend } from "./webgl-device.ts";

/** Every kernel that may hand out such a slice. */
const SLICING = ["Slice", "SplitV", "StridedSlice", "Unpack", "BatchToSpaceND", "TopK"] as const;

export function copySlices(tf: TensorFlow, backend: WebGlBackend): () => void {
  const own = (output: TensorInfo): TensorInfo => {
    if ((backend.texData.get(output.dataId).slice ?? null) === null) return output;
    const { shape: outputShape, dtype } = output;
    const copy = backend.runWebGLProgram({ variableNames: ["A"], outputShape, userCode: COPY }, [output], dtype);
    backend.disposeData(output.dataId);
    return copy;
  };
  return overrideKernels(tf, "webgl", SLICING, (stock) => (call) => {
    const result = stock(call);
    return Array.isArray(result) ? result.map(own) : own(result);
  });
}

const COPY = "void main() { setOutput(getAAtOutCoords()); }";
