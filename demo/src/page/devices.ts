/** Which devices this browser offers, by name, asked without TensorFlow.js; and in which order "automatic" tries them. */
import type { BackendName } from "../protocol.ts";
import type { BackendChoice, Speed } from "../settings.ts";

export interface Device {
  readonly backend: BackendName;
  /** Its name, as the browser tells it. */
  readonly name: string;
  /** A processor that plays a GPU. */
  readonly isSoftware: boolean;
  /** Why it cannot be used; null if it can. */
  readonly missing: string | null;
  /** What it allows, in words. */
  readonly limits: string | null;
}

const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|basic render|warp|software/i;

export async function findDevices(): Promise<readonly Device[]> {
  return Promise.all([findWebGpu(), findWebGl(), findWasm()]);
}

async function findWebGpu(): Promise<Device> {
  const device = { backend: "webgpu", name: "WebGPU", isSoftware: false, limits: null } as const;
  // Not there outside secure contexts, and in browsers that lack it.
  const gpu = navigator.gpu as GPU | undefined;
  if (gpu === undefined) {
    const why = isSecureContext
      ? "this browser has no WebGPU; recent Chrome, Edge, Safari and Firefox do"
      : "WebGPU needs a page from https or localhost";
    return { ...device, missing: why };
  }
  try {
    const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
    if (adapter === null) {
      return {
        ...device,
        missing: "the browser found no GPU that it would use; chrome://gpu tells why (Firefox: about:support)",
      };
    }
    const { vendor, architecture, description } = adapter.info;
    const name = description !== "" ? description : [vendor, architecture].filter(Boolean).join(" ");
    const isSoftware = SOFTWARE.test(`${vendor} ${architecture} ${description}`) || adapter.info.isFallbackAdapter;
    const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
    const limits = `tensors up to ${mib(Math.min(maxBufferSize, maxStorageBufferBindingSize))} each`;
    return { ...device, name: name === "" ? "unnamed GPU" : name, isSoftware, missing: null, limits };
  } catch (error) {
    return { ...device, missing: error instanceof Error ? error.message : String(error) };
  }
}

function mib(bytes: number): string {
  return `${Math.floor(bytes / 2 ** 20)} MiB`;
}

// eslint-disable-next-line typescript/require-await -- one of three that are asked alike
async function findWebGl(): Promise<Device> {
  const device = { backend: "webgl", name: "WebGL", isSoftware: false, limits: null } as const;
  if (typeof OffscreenCanvas === "undefined") {
    return { ...device, missing: "this browser has no OffscreenCanvas, which a worker needs for WebGL" };
  }
  const context = new OffscreenCanvas(1, 1).getContext("webgl2");
  if (context === null) return { ...device, missing: "this browser gave no WebGL 2 context" };
  const names = context.getExtension("WEBGL_debug_renderer_info");
  const name = String(context.getParameter(names === null ? context.RENDERER : names.UNMASKED_RENDERER_WEBGL));
  context.getExtension("WEBGL_lose_context")?.loseContext();
  return { ...device, name: shortName(name), isSoftware: SOFTWARE.test(name), missing: null };
}

/** ANGLE names vendor, card and driver; the card is what people know. */
function shortName(renderer: string): string {
  const card = /^ANGLE \([^,]*, ([^,]*(?:\([^)]*\))?[^,]*),/.exec(renderer)?.[1] ?? renderer;
  return card
    .replace(/\s*\((?:Subzero|LLVM[^)]*|0x[0-9A-F]+)\)/gi, "")
    .replace(/^(?:Vulkan|Metal|Direct3D\S*) ?[\d.]* \((.*)\)$/, "$1");
}

// eslint-disable-next-line typescript/require-await -- one of three that are asked alike
async function findWasm(): Promise<Device> {
  const device = { backend: "wasm", name: "this processor, one thread", isSoftware: false } as const;
  const missing = typeof WebAssembly === "undefined" ? "this browser runs no WebAssembly" : null;
  return { ...device, missing, limits: "a heap of 4 GiB at most" };
}

/**
 * Backends to try. Automatic: GPUs first, but one that a processor plays comes after WebAssembly, which is the same processor and
 * faster.
 */
export function backendsFor(choice: BackendChoice, devices: readonly Device[]): readonly BackendName[] {
  if (choice !== "auto") return [choice];
  const usable = devices.filter(({ missing }) => missing === null);
  const real = usable.filter(({ isSoftware }) => !isSoftware);
  return [...real, ...usable.filter((device) => !real.includes(device))].map(({ backend }) => backend);
}

export function speedOf(choice: BackendChoice, devices: readonly Device[]): Speed {
  const [first] = backendsFor(choice, devices);
  const device = devices.find(({ backend }) => backend === first);
  if (device === undefined || device.backend === "wasm") return "processor";
  return device.isSoftware ? "emulated" : "gpu";
}

/** For people: `Apple M2 (WebGPU)`, `SwiftShader (software adapter, WebGPU)`. */
export function deviceText({ backend, name, isSoftware }: Device): string {
  return `${name} (${isSoftware ? "software adapter, " : ""}${BACKEND_TITLES[backend]})`;
}

export const BACKEND_TITLES: Readonly<Record<BackendName, string>> = {
  webgpu: "WebGPU",
  webgl: "WebGL",
  wasm: "WebAssembly",
};
