/**
 * WebAssembly: what TensorFlow.js took with `malloc` from the module's heap and has not freed. Past the cap malloc returns 0, as it
 * does when the heap is full. Stock TensorFlow.js does not look at that and writes over the module's own data, so there a refusal throws.
 */
import { formatBytes } from "vdnn";
import { AllocationCount } from "./count.ts";
import type { AllocationMeter } from "./meter.ts";

export interface WasmBackend {
  readonly wasm: {
    _malloc: (this: void, bytes: number) => number;
    _free: (this: void, address: number) => void;
  };
}

const ABOUT =
  "The device is the heap of the WebAssembly module, here in this tab’s memory; allocated bytes are what TensorFlow.js took with " +
  "malloc and has not freed. The limit is a cap in front of malloc, because a browser gives no way to make that heap smaller. A " +
  "full heap answers 0, which stock TensorFlow.js does not look at; the page stops it there, before it writes over other data.";

export function meterHeap({ wasm }: WasmBackend): AllocationMeter {
  const count = new AllocationCount(ABOUT);
  const sizes = new Map<number, number>();
  // Until its first call each of the two is a stub that puts the real one in its place, over whatever stands there.
  wasm._free(wasm._malloc(1));
  const { _malloc: malloc, _free: free } = wasm;
  wasm._malloc = (bytes) => {
    const address = count.exceeds(bytes) ? 0 : malloc(bytes);
    if (address !== 0) {
      sizes.set(address, bytes);
      count.add(bytes);
      return address;
    }
    if (bytes === 0) return 0;
    const { allocatedBytes } = count.refuse(bytes, "malloc returned 0");
    if (count.manner === "as-device") return 0;
    throw new RangeError(`malloc of ${formatBytes(bytes)} refused with ${formatBytes(allocatedBytes)} allocated`);
  };
  wasm._free = (address) => {
    count.subtract(sizes.get(address) ?? 0);
    sizes.delete(address);
    free(address);
  };
  return count;
}
