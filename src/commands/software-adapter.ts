/** A WebGPU adapter may be a processor that plays the GPU. It gives the same bits, and nothing else tells why it takes so long. */
import type { WebGpuAdapter } from "../backends/webgpu-loader.ts";

/**
 * Says so on standard error before anything is trained on such an adapter.
 *
 * @param sizes flags with which the command ends within minutes
 */
export function tellSoftware(adapter: WebGpuAdapter | undefined, sizes: string): void {
  if (adapter?.isSoftware !== true) return;
  process.stderr.write(
    `vdnn: ${adapter.name} is a software adapter: a processor plays the GPU, and a step takes seconds or minutes. Small sizes help: ${sizes}\n`,
  );
}
