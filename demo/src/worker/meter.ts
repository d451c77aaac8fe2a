/**
 * Counts device memory at the allocator itself, apart from vdnn's own ledger, and can put a cap in front of it: a browser gives no
 * way to make a GPU smaller.
 */
import type { TensorFlow } from "vdnn";
import type { BackendName } from "../protocol.ts";
import { meterHeap, type WasmBackend } from "./meter-wasm.ts";
import { meterTextures, type WebGlBackend } from "./meter-webgl.ts";
import { meterBuffers, type WebGpuBackend } from "./meter-webgpu.ts";

export interface Refusal {
  readonly neededBytes: number;
  readonly allocatedBytes: number;
  /** What a full device answers, by the name that programs know it by. */
  readonly error: string;
}

export interface AllocationMeter {
  readonly allocatedBytes: number;
  readonly peakBytes: number;
  /** The first allocation that the cap refused. */
  readonly refusal: Refusal | null;
  /** From now on, what would exceed so many bytes is refused. */
  cap(limitBytes: number, refuse: RefusalManner): void;
  /** How it counts, and how the cap refuses: one sentence for the page. */
  readonly about: string;
}

/**
 * How a refusal shows where TensorFlow.js does not look at the device's own answer: `as-device` gives that answer, for a caller that
 * looks (vdnn); `throw` stops the program before it computes on memory that it was not given.
 */
export type RefusalManner = "as-device" | "throw";

/** @param backend of `tf`, which must be the one in use */
export function meterFor(tf: TensorFlow, backend: BackendName): AllocationMeter {
  const engineBackend: unknown = tf.backend();
  switch (backend) {
    case "webgpu":
      return meterBuffers(engineBackend as WebGpuBackend);
    case "wasm":
      return meterHeap(engineBackend as WasmBackend);
    case "webgl":
      return meterTextures(engineBackend as WebGlBackend);
  }
  return backend satisfies never;
}
