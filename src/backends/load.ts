/**
 * Finds and starts a TensorFlow.js backend in Node.js. The native packages are optional and often there without their addon, so
 * absence is a normal answer here, with a reason and the command that mends it.
 */
import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import * as path from "node:path";
import * as util from "node:util";
import { VdnnError } from "../errors.ts";
import type { TensorFlow } from "../runtime/engine.ts";
import { registerWasmTrainingKernels } from "./wasm-kernels.ts";
import { NO_ADAPTER, provideWebGpu, type WebGpuAdapter } from "./webgpu-loader.ts";

export type BackendName = "tensorflow" | "wasm" | "webgpu" | "cpu";

/**
 * The order in which the default is chosen. `webgpu` stands behind wasm, which works everywhere, so it is used when it is asked
 * for: its adapter may be a processor in disguise, and it cannot block.
 */
export const BACKENDS: readonly BackendName[] = ["tensorflow", "wasm", "webgpu", "cpu"];

export interface LoadedBackend {
  readonly tf: TensorFlow;
  readonly backend: BackendName;
  readonly packageName: string;
  /** Version of libtensorflow, for the native packages. */
  readonly tensorflowVersion?: string;
  /** What `webgpu` computes on. */
  readonly adapter?: WebGpuAdapter;
}

export interface BackendProbe {
  readonly backend: BackendName;
  readonly packageName: string;
  readonly works: boolean;
  /** Where kernels run; only the GPU package and webgpu can say "GPU". */
  readonly device?: "CPU" | "GPU";
  readonly tensorflowVersion?: string;
  /** Name of the WebGPU adapter. */
  readonly adapter?: string;
  /** Why it does not work. */
  readonly reason?: string;
  /** What may mend it: a command, mostly. */
  readonly remedy?: string;
}

/** In the order of preference. Both packages register the name `tensorflow`, so a process must load only one of them. */
const NATIVE_PACKAGES = ["@tensorflow/tfjs-node-gpu", "@tensorflow/tfjs-node"] as const;
const PACKAGES: Readonly<Record<BackendName, readonly string[]>> = {
  tensorflow: NATIVE_PACKAGES,
  wasm: ["@tensorflow/tfjs-backend-wasm"],
  webgpu: ["@tensorflow/tfjs-backend-webgpu"],
  cpu: ["@tensorflow/tfjs"],
};
const REMEDIES: Readonly<Record<string, string>> = {
  "@tensorflow/tfjs-node": "npm run native",
  "@tensorflow/tfjs-node-gpu": "npm run native -- --package tfjs-node-gpu",
  "@tensorflow/tfjs-backend-webgpu": "npm install webgpu",
};
/** Where WebGPU is there and nothing is behind it. */
const DRIVER_REMEDY =
  "install a Vulkan driver (Debian 13, or 12 with bookworm-backports: apt-get install mesa-vulkan-drivers), or name one with " +
  "VK_ICD_FILENAMES, such as SwiftShader's vk_swiftshader_icd.json";
/** A child that loads TensorFlow and multiplies two small matrices takes about a second. */
const PROBE_TIMEOUT_MS = 60_000;

const require = createRequire(import.meta.url);

/**
 * Loads TensorFlow.js on the given backend, or on the fastest one that works.
 *
 * @throws VdnnError `ERR_BACKEND` when the name is unknown or the backend does not start here
 */
export async function loadTensorFlow(backend?: BackendName): Promise<LoadedBackend> {
  if (backend !== undefined) return start(backend);
  const failures: string[] = [];
  for (const name of BACKENDS) {
    try {
      return await start(name);
    } catch (error) {
      failures.push(`${name}: ${messageOf(error)}`);
    }
  }
  throw new VdnnError("ERR_BACKEND", `no TensorFlow.js backend starts here: ${failures.join("; ")}`, { failures });
}

/** Tries every package in a process of its own, so that one that crashes while loading is only a line in the answer. */
export async function probeBackends(): Promise<BackendProbe[]> {
  const all = BACKENDS.flatMap((backend) => PACKAGES[backend].map((packageName) => ({ backend, packageName })));
  return Promise.all(all.map(({ backend, packageName }) => probe(backend, packageName)));
}

async function start(backend: BackendName): Promise<LoadedBackend> {
  switch (backend) {
    case "tensorflow":
      return startNative();
    case "webgpu":
      return startWebGpu();
    case "wasm":
    case "cpu":
      return startPortable(backend);
    default:
      backend satisfies never;
      throw new VdnnError("ERR_BACKEND", `unknown backend ${String(backend)}; expected one of ${BACKENDS.join(", ")}`, {
        backend,
        expected: BACKENDS,
      });
  }
}

async function startPortable(backend: "wasm" | "cpu"): Promise<LoadedBackend> {
  const [packageName = ""] = PACKAGES[backend];
  try {
    const tf = require("@tensorflow/tfjs") as TensorFlow;
    if (backend === "wasm") require(packageName);
    silenceBanner(tf);
    if (!(await withoutNewListeners(() => tf.setBackend(backend)))) throw new Error("it did not start");
    if (backend === "wasm") registerWasmTrainingKernels(tf);
    return { tf, backend, packageName };
  } catch (cause) {
    throw unavailable(backend, packageName, messageOf(cause), cause);
  }
}

async function startWebGpu(): Promise<LoadedBackend> {
  const [packageName = ""] = PACKAGES.webgpu;
  try {
    const adapter = await provideWebGpu();
    // The backend looks for WebGPU when it is loaded.
    const tf = require("@tensorflow/tfjs") as TensorFlow;
    require(packageName);
    silenceBanner(tf);
    if (!(await tf.setBackend("webgpu"))) throw new Error("it did not start");
    return { tf, backend: "webgpu", packageName, adapter };
  } catch (cause) {
    throw unavailable("webgpu", packageName, messageOf(cause), cause);
  }
}

async function startNative(): Promise<LoadedBackend> {
  const packageName = await choosePackage();
  patchUtil();
  // TensorFlow's C++ side writes lines about the processor to stderr otherwise. 2 keeps errors.
  process.env["TF_CPP_MIN_LOG_LEVEL"] ??= "2";
  try {
    const tf = require(packageName) as TensorFlow;
    silenceBanner(tf);
    await tf.setBackend("tensorflow");
    const { binding } = tf.backend() as unknown as { binding: { TF_Version: string } };
    return { tf, backend: "tensorflow", packageName, tensorflowVersion: binding.TF_Version };
  } catch (cause) {
    throw unavailable("tensorflow", packageName, messageOf(cause), cause);
  }
}

/** The native package that this process loaded already, else the GPU one if it works, else the CPU one. */
async function choosePackage(): Promise<string> {
  const loaded = NATIVE_PACKAGES.find((name) => {
    const folder = folderOf(name);
    return folder !== undefined && require.cache[path.join(folder, "dist", "index.js")]?.loaded === true;
  });
  if (loaded !== undefined) return loaded;
  const [gpu, cpu] = NATIVE_PACKAGES;
  // A CUDA library that does not match the driver can end the process, so the GPU package is tried elsewhere first.
  if (absence(gpu) === undefined && (await probe("tensorflow", gpu)).works) return gpu;
  const reason = absence(cpu);
  if (reason === undefined) return cpu;
  throw unavailable("tensorflow", cpu, reason);
}

function unavailable(backend: BackendName, packageName: string, reason: string, cause?: unknown): VdnnError {
  const remedy = remedyFor(packageName, reason);
  const message = `backend ${backend} does not start: ${packageName}: ${reason}; mend it: ${remedy}`;
  return new VdnnError("ERR_BACKEND", message, { backend, packageName, reason, remedy }, { cause });
}

async function probe(backend: BackendName, packageName: string): Promise<BackendProbe> {
  const absent = absence(packageName);
  if (absent !== undefined)
    return { backend, packageName, works: false, reason: absent, remedy: remedyFor(packageName, absent) };
  const script = `
    const util = require("node:util");
    util.isNullOrUndefined ??= (value) => value === null || value === undefined;
    util.isArray ??= Array.isArray;
    const [tfjs, name, backendName, loader] = process.argv.slice(1);
    const provided = backendName === "webgpu" ? import(loader).then(({ provideWebGpu }) => provideWebGpu()) : Promise.resolve();
    provided.then(async (adapter) => {
      const tf = require(tfjs);
      require(name);
      const started = await tf.setBackend(backendName);
      const product = await tf.matMul(tf.ones([8, 4]), tf.ones([4, 8])).data();
      const backend = tf.backend();
      process.stdout.write(JSON.stringify({
        works: started && product.every((value) => value === 4),
        device: backend.isUsingGpuDevice || adapter?.isSoftware === false ? "GPU" : "CPU",
        tensorflowVersion: backend.binding?.TF_Version,
        adapter: adapter?.name,
      }));
    });`;
  const env = { ...process.env, NODE_OPTIONS: "", TF_CPP_MIN_LOG_LEVEL: "2" };
  const loader = new URL(
    import.meta.url.endsWith(".ts") ? "./webgpu-loader.ts" : "./webgpu-loader.js",
    import.meta.url,
  );
  // The loader is TypeScript when vdnn runs from its sources.
  const preload = import.meta.url.endsWith(".ts") ? ["--import", import.meta.resolve("tsx")] : [];
  const paths = [require.resolve("@tensorflow/tfjs"), require.resolve(packageName)];
  const args = [...(backend === "webgpu" ? preload : []), "-e", script, ...paths, backend, loader.href];
  try {
    const { stdout } = await util.promisify(execFile)(process.execPath, args, { env, timeout: PROBE_TIMEOUT_MS });
    return { backend, packageName, ...(JSON.parse(stdout) as { works: boolean }) };
  } catch (error) {
    const { stderr = "", signal, code } = error as { stderr?: string; signal?: string; code?: unknown };
    const thrown = /^\w*Error(?: \[\w+\])?: (.*)$/m.exec(stderr)?.[1];
    const reason = thrown ?? `loading it ended with ${signal ?? `exit code ${String(code)}`}`;
    return { backend, packageName, works: false, reason, remedy: remedyFor(packageName, reason) };
  }
}

function remedyFor(packageName: string, reason: string): string {
  if (reason.startsWith(NO_ADAPTER)) return DRIVER_REMEDY;
  return REMEDIES[packageName] ?? "npm ci";
}

/** Why a package is not there, or undefined. npm leaves native packages without their addon where install scripts are off. */
function absence(packageName: string): string | undefined {
  const folder = folderOf(packageName);
  if (folder === undefined) return "the package is not installed";
  if (!(NATIVE_PACKAGES as readonly string[]).includes(packageName)) return undefined;
  const lib = path.join(folder, "lib");
  const built = existsSync(lib) && readdirSync(lib).some((abi) => existsSync(path.join(lib, abi, "tfjs_binding.node")));
  return built ? undefined : "its native addon is not built";
}

function folderOf(packageName: string): string | undefined {
  try {
    return path.dirname(require.resolve(`${packageName}/package.json`));
  } catch {
    return undefined;
  }
}

/** tfjs-node 4.22 calls two functions that Node.js 23 removed from `util`. */
function patchUtil(): void {
  const legacy = require("node:util") as { isNullOrUndefined?: unknown; isArray?: unknown };
  legacy.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined;
  legacy.isArray ??= Array.isArray;
}

/** The cpu backend prints an advertisement for tfjs-node at its first write; this is the flag it looks at. */
function silenceBanner(tf: TensorFlow): void {
  const cpu = tf.findBackend("cpu") as { firstUse?: boolean } | null;
  if (cpu !== null) cpu.firstUse = false;
}

/** The wasm glue code rethrows uncaught errors from handlers of its own, which makes Node.js print its minified source. */
async function withoutNewListeners<T>(action: () => Promise<T>): Promise<T> {
  const events = ["uncaughtException", "unhandledRejection"] as const;
  const before = events.map((event) => new Set<unknown>(process.listeners(event as "uncaughtException")));
  const result = await action();
  for (const [index, event] of events.entries()) {
    for (const listener of process.listeners(event as "uncaughtException")) {
      if (before[index]?.has(listener) !== true) process.removeListener(event, listener);
    }
  }
  return result;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
}
