/**
 * WebGPU: the sizes of all buffers made with `createBuffer` and not destroyed, except those that the processor maps, which are host
 * memory. TensorFlow.js pools freed buffers, so this is more than its tensors.
 *
 * Past the cap the device's own answer is made: the buffer is an invalid one, and a `GPUOutOfMemoryError` goes to
 * `uncapturederror`. Stock TensorFlow.js listens to neither, goes on, and computes with buffers that hold nothing.
 */
import type { AllocationMeter } from "./meter.ts";
import { AllocationCount } from "./count.ts";

export interface WebGpuBackend {
  readonly device: GPUDevice;
}

const MAPPABLE = 0x1 | 0x2;

const ABOUT =
  "Allocated bytes are the sizes of all GPU buffers made with createBuffer and not yet destroyed, without those that the " +
  "processor maps. The limit is a cap in front of createBuffer, because a browser gives no way to cap GPU memory; past it the " +
  "page gives the device’s own answer, an invalid buffer and a GPUOutOfMemoryError.";

export function meterBuffers({ device }: WebGpuBackend): AllocationMeter {
  const count = new AllocationCount(ABOUT);
  const stock = device.createBuffer.bind(device);
  device.createBuffer = (descriptor) => {
    const { size, usage } = descriptor;
    if ((usage & MAPPABLE) !== 0) return stock(descriptor);
    if (count.exceeds(size)) return refuse(device, stock, descriptor, count);
    const buffer = count.manner === "throw" ? watched(device, stock, descriptor, count) : stock(descriptor);
    count.add(size);
    const destroy = buffer.destroy.bind(buffer);
    let isLive = true;
    buffer.destroy = () => {
      if (isLive) count.subtract(size);
      isLive = false;
      return destroy();
    };
    return buffer;
  };
  return count;
}

/** Notes what the device itself refuses. vdnn asks for itself. */
function watched(
  device: GPUDevice,
  stock: GPUDevice["createBuffer"],
  descriptor: GPUBufferDescriptor,
  count: AllocationCount,
): GPUBuffer {
  device.pushErrorScope("out-of-memory");
  try {
    return stock(descriptor);
  } finally {
    void device.popErrorScope().then((error) => {
      if (error !== null) count.refuse(descriptor.size, "GPUOutOfMemoryError");
    });
  }
}

function refuse(
  device: GPUDevice,
  stock: GPUDevice["createBuffer"],
  descriptor: GPUBufferDescriptor,
  count: AllocationCount,
): GPUBuffer {
  const { neededBytes, allocatedBytes } = count.refuse(descriptor.size, "GPUOutOfMemoryError");
  // A buffer without any usage is invalid by the standard, as one is for which there was no memory.
  device.pushErrorScope("validation");
  const invalid = stock({ size: descriptor.size, usage: 0 });
  void device.popErrorScope();
  // TensorFlow.js files buffers by the usage it asked for.
  Object.defineProperty(invalid, "usage", { value: descriptor.usage });
  const error = new GPUOutOfMemoryError(`${neededBytes} bytes refused with ${allocatedBytes} allocated`);
  device.dispatchEvent(new GPUUncapturedErrorEvent("uncapturederror", { error }));
  return invalid;
}
