/** WebGPU for tests, on SwiftShader where there is no GPU; and its absence as a normal answer. */
import { existsSync } from "node:fs";
import { provideWebGpu } from "../../src/backends/webgpu-loader.ts";

/** Vulkan on the processor, as Debian's chromium brings it. */
const SWIFTSHADER = "/usr/lib/chromium/vk_swiftshader_icd.json";

/** Why there is no WebGPU here; undefined if there is. */
export async function whyNoWebGpu(): Promise<string | undefined> {
  if (process.env["VK_ICD_FILENAMES"] === undefined && existsSync(SWIFTSHADER))
    process.env["VK_ICD_FILENAMES"] = SWIFTSHADER;
  try {
    await provideWebGpu();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
