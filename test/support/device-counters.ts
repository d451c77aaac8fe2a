/** What is allocated on a device, counted where the browser or Dawn is asked for it, whoever asks. */
import type { TensorFlow } from "../../src/networks/network.ts";

export interface DeviceCounter {
  readonly bytes: number;
  readonly peakBytes: number;
  /** Buffers or textures. */
  readonly count: number;
  /** Buffers that the processor can map; not among those. */
  readonly mappable: number;
  /** The peak begins anew. */
  restart(): void;
  end(): void;
}

class Counter {
  bytes = 0;
  peakBytes = 0;
  count = 0;
  mappable = 0;

  add(bytes: number): void {
    this.bytes += bytes;
    this.count++;
    this.peakBytes = Math.max(this.peakBytes, this.bytes);
  }

  remove(bytes: number): void {
    this.bytes -= bytes;
    this.count--;
  }

  restart(): void {
    this.peakBytes = this.bytes;
  }
}

interface GpuBuffer {
  readonly size: number;
  readonly usage: number;
  destroy(): void;
}

interface WebGpuBackend {
  readonly device: { createBuffer(descriptor: { size: number; usage: number }): GpuBuffer };
  readonly bufferManager: Readonly<Record<"usedBuffers" | "freeBuffers", Map<string, GpuBuffer[]>>>;
}

/** Buffers on a WebGPU device. Those that the processor can map are host memory. */
export function countBuffers(tf: TensorFlow): DeviceCounter {
  const { device, bufferManager } = tf.backend() as unknown as WebGpuBackend;
  const create = device.createBuffer;
  const counter = new Counter();
  const watch = (buffer: GpuBuffer): void => {
    const isMappable = (buffer.usage & 3) !== 0;
    if (isMappable) counter.mappable++;
    else counter.add(buffer.size);
    const destroy = buffer.destroy.bind(buffer);
    buffer.destroy = () => {
      if (isMappable) counter.mappable--;
      else counter.remove(buffer.size);
      Reflect.deleteProperty(buffer, "destroy");
      destroy();
    };
  };
  for (const lists of [bufferManager.usedBuffers, bufferManager.freeBuffers])
    for (const list of lists.values()) list.forEach(watch);
  device.createBuffer = (descriptor) => {
    const buffer = create.call(device, descriptor);
    watch(buffer);
    return buffer;
  };
  return Object.assign(counter, { end: () => void Reflect.deleteProperty(device, "createBuffer") });
}

interface Gl {
  readonly R32F: number;
  readonly RGBA8: number;
  readonly RGBA32F: number;
  readonly TEXTURE_BINDING_2D: number;
  getParameter(name: number): object;
  texStorage2D(target: number, levels: number, format: number, width: number, height: number): void;
  deleteTexture(texture: object): void;
}

/** Textures that a WebGL context makes from now on. */
export function countTextures(tf: TensorFlow): DeviceCounter {
  const { gl } = (tf.backend() as unknown as { readonly gpgpu: { readonly gl: Gl } }).gpgpu;
  const { texStorage2D, deleteTexture } = gl;
  const texelBytes = new Map([
    [gl.R32F, 4],
    [gl.RGBA8, 4],
    [gl.RGBA32F, 16],
  ]);
  const counter = new Counter();
  const sizes = new Map<object, number>();
  gl.texStorage2D = (target, levels, format, width, height) => {
    texStorage2D.call(gl, target, levels, format, width, height);
    const bytes = width * height * (texelBytes.get(format) ?? Number.NaN);
    sizes.set(gl.getParameter(gl.TEXTURE_BINDING_2D), bytes);
    counter.add(bytes);
  };
  gl.deleteTexture = (texture) => {
    deleteTexture.call(gl, texture);
    const bytes = sizes.get(texture);
    if (bytes !== undefined) counter.remove(bytes);
    sizes.delete(texture);
  };
  return Object.assign(counter, {
    end: () => {
      Reflect.deleteProperty(gl, "texStorage2D");
      Reflect.deleteProperty(gl, "deleteTexture");
    },
  });
}
