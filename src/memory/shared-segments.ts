/**
 * Segments in shared `WebAssembly.Memory`: they grow in place, a worker thread reads and writes them, and the tensorflow backend
 * aliases them without a copy.
 */
import { GIB, KIB, MIB } from "../units.ts";
import type { SegmentSource } from "./segments.ts";

/** The part of `WebAssembly.Memory` used here; the ES libraries of TypeScript do not declare it without the DOM. */
interface SharedMemory {
  readonly buffer: SharedArrayBuffer;
  grow(pages: number): number;
}

const { WebAssembly: wasm } = globalThis as unknown as {
  readonly WebAssembly: {
    readonly Memory: new (descriptor: { initial: number; maximum: number; shared: true }) => SharedMemory;
  };
};

const PAGE_BYTES = 64 * KIB;
const MAXIMUM_BYTES = 4 * GIB;

export const SHARED_SEGMENTS: SegmentSource = {
  // So that a first iteration of thousands of small tensors does not grow the memory thousands of times.
  stepBytes: 4 * MIB,
  maximumBytes: MAXIMUM_BYTES,
  // The declared maximum costs address space only; less of it if that is scarce.
  sizes: ({ needBytes, segmentBytes }) => [MAXIMUM_BYTES, Math.max(segmentBytes, needBytes), needBytes],
  begin(maximumBytes) {
    const memory = new wasm.Memory({ initial: 0, maximum: maximumBytes / PAGE_BYTES, shared: true });
    return {
      get buffer() {
        return memory.buffer;
      },
      grow: (bytes) => void memory.grow(bytes / PAGE_BYTES),
    };
  },
};
