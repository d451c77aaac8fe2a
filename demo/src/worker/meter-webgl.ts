/**
 * WebGL: the textures that TensorFlow.js made and did not delete, by its own count of their bytes; the API tells no sizes. Past the
 * cap the texture is deleted again and an error thrown: WebGL would set OUT_OF_MEMORY, which TensorFlow.js reads only while debugging.
 */
import { formatBytes } from "vdnn";
import { AllocationCount } from "./count.ts";
import type { AllocationMeter } from "./meter.ts";

interface TextureManager {
  acquireTexture(...args: readonly unknown[]): object;
  readonly numBytesAllocated: number;
}

export interface WebGlBackend {
  readonly textureManager: TextureManager;
}

export function meterTextures({ textureManager }: WebGlBackend): AllocationMeter {
  const count = new AllocationCount();
  const stock = textureManager.acquireTexture.bind(textureManager);
  /** Deletions are not told, so the count follows the manager's own. */
  const follow = (): number => {
    count.add(textureManager.numBytesAllocated - count.allocatedBytes);
    return count.allocatedBytes;
  };
  textureManager.acquireTexture = (...args) => {
    const before = follow();
    const texture = stock(...args);
    const bytes = textureManager.numBytesAllocated - before;
    if (bytes > 0 && count.exceeds(bytes)) {
      count.refuse(bytes, "OUT_OF_MEMORY");
      throw new RangeError(`a texture of ${formatBytes(bytes)} refused with ${formatBytes(before)} allocated`);
    }
    follow();
    return texture;
  };
  return {
    get allocatedBytes() {
      return follow();
    },
    get peakBytes() {
      follow();
      return count.peakBytes;
    },
    get refusal() {
      return count.refusal;
    },
    cap: (limitBytes, manner) => count.cap(limitBytes, manner),
    about:
      "Allocated bytes are TensorFlow.js’s own count of its WebGL textures, padding and pooled ones included; the driver may round " +
      "up. The limit is a cap behind texture creation, because a browser gives no way to cap GPU memory: the texture that exceeds it " +
      "raises an error.",
  };
}
