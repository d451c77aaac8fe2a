/**
 * WebGL: the textures whose storage was allocated and that were not deleted, by the bytes of their format. Past the cap WebGL sets
 * OUT_OF_MEMORY, which stock TensorFlow.js reads only while it debugs, so there a refusal throws.
 */
import { formatBytes } from "vdnn";
import { AllocationCount } from "./count.ts";
import type { AllocationMeter } from "./meter.ts";

export interface WebGlBackend {
  readonly gpgpu: { readonly gl: WebGL2RenderingContext };
}

const ABOUT =
  "Allocated bytes are the texels of all textures given storage and not yet deleted, times the bytes of their format; the driver " +
  "may round up. The limit is a cap in front of texStorage2D, because a browser gives no way to cap GPU memory. A full device " +
  "sets OUT_OF_MEMORY, which stock TensorFlow.js does not read; the page stops it there.";

export function meterTextures({ gpgpu: { gl } }: WebGlBackend): AllocationMeter {
  const count = new AllocationCount(ABOUT);
  const sizes = new WeakMap<WebGLTexture, number>();
  let bound: WebGLTexture | null = null;
  let hasRefused = false;
  const stock = {
    bindTexture: gl.bindTexture.bind(gl),
    texStorage2D: gl.texStorage2D.bind(gl),
    deleteTexture: gl.deleteTexture.bind(gl),
    getError: gl.getError.bind(gl),
  };
  gl.bindTexture = (target, texture) => {
    if (target === gl.TEXTURE_2D) bound = texture;
    stock.bindTexture(target, texture);
  };
  gl.texStorage2D = (target, levels, format, width, height) => {
    const bytes = width * height * bytesPerTexel(gl, format);
    if (!count.exceeds(bytes)) {
      stock.texStorage2D(target, levels, format, width, height);
      if (bound !== null) sizes.set(bound, bytes);
      count.add(bytes);
      return;
    }
    const { allocatedBytes } = count.refuse(bytes, "OUT_OF_MEMORY");
    if (count.manner === "throw") {
      throw new RangeError(`a texture of ${formatBytes(bytes)} refused with ${formatBytes(allocatedBytes)} allocated`);
    }
    hasRefused = true;
  };
  gl.deleteTexture = (texture) => {
    if (texture !== null) {
      count.subtract(sizes.get(texture) ?? 0);
      sizes.delete(texture);
    }
    stock.deleteTexture(texture);
  };
  gl.getError = () => {
    const error = hasRefused ? gl.OUT_OF_MEMORY : stock.getError();
    hasRefused = false;
    return error;
  };
  return count;
}

function bytesPerTexel(gl: WebGL2RenderingContext, format: number): number {
  switch (format) {
    case gl.RGBA32F:
      return 16;
    case gl.RGBA16F:
      return 8;
    case gl.R16F:
      return 2;
    // R32F and RGBA8.
    default:
      return 4;
  }
}
