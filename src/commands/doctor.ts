/**
 * `vdnn doctor`: what this machine offers a training run. Which backends work and what would mend the others, the memory limits
 * that hold, and measured copy bandwidths, each backend's in a process of its own.
 */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import * as os from "node:os";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { type BackendName, type BackendProbe, probeBackends } from "../backends/load.ts";
import { type CopyRates, measureMemory, measureSpill, type SpillRates } from "../backends/measure.ts";
import { formatBytes } from "../units.ts";
import { createProgress } from "./progress.ts";

export interface DoctorOptions {
  /** Print one JSON document instead of text. Default false. */
  readonly json?: boolean;
  /** Directory whose disk is measured. Default the system's temporary directory. */
  readonly spill?: string;
  /** Where the result goes. Default the process's standard output. */
  readonly write?: (text: string) => void;
}

export interface MemoryLimit {
  readonly source: string;
  readonly bytes: number;
}

/** A measurement, or why there is none. */
export type Measured<T> = T | { readonly error: string };

export interface DoctorReport {
  readonly schema: "vdnn-doctor/1";
  readonly node: string;
  readonly platform: string;
  readonly processor: string;
  readonly cores: number;
  /** Smallest first. */
  readonly memoryLimits: readonly MemoryLimit[];
  /** Variables that change how TensorFlow or Node.js use memory and threads, as they are set now. */
  readonly environment: Readonly<Record<string, string>>;
  readonly backends: readonly BackendProbe[];
  readonly measured: {
    readonly copies: Readonly<Partial<Record<BackendName, Measured<CopyRates>>>>;
    readonly hostCopyGBps: number;
    readonly spill: Measured<SpillRates>;
  };
}

const VARIABLES = [
  "MALLOC_MMAP_THRESHOLD_",
  "TF_CPU_ALLOCATOR_USE_BFC",
  "TF_CPU_BFC_MEM_LIMIT_IN_MB",
  "TF_ENABLE_ONEDNN_OPTS",
  "TF_FORCE_GPU_ALLOW_GROWTH",
  "TF_NUM_INTRAOP_THREADS",
  "CUDA_VISIBLE_DEVICES",
  "VK_ICD_FILENAMES",
  "NODE_OPTIONS",
  "UV_THREADPOOL_SIZE",
] as const;
/** Limits of 2^60 bytes and more are how cgroups and the kernel say "none". */
const UNLIMITED_BYTES = 2 ** 60;
const MEASURE_TIMEOUT_MS = 120_000;

/** Examines the machine and prints the report; the exit code is 0 when a backend that can train works, else 1. */
export async function doctor(options: DoctorOptions = {}): Promise<number> {
  const progress = createProgress();
  const report = await examine(options.spill ?? os.tmpdir(), (text) => progress.show(text));
  progress.clear();
  const write = options.write ?? ((text: string) => void process.stdout.write(text));
  write(options.json === true ? `${JSON.stringify(report)}\n` : renderDoctor(report));
  return report.backends.some(({ backend, works }) => works && backend !== "cpu") ? 0 : 1;
}

/**
 * Everything `vdnn doctor` finds, as data.
 *
 * @param onPart called before each part that takes seconds
 */
export async function examine(
  spillDirectory: string,
  onPart: (text: string) => void = () => undefined,
): Promise<DoctorReport> {
  onPart("starting every backend");
  const backends = await probeBackends();
  const copies: Partial<Record<BackendName, Measured<CopyRates>>> = {};
  // The cpu backend keeps JavaScript arrays by reference: there is no copy to measure.
  const measurable = backends.filter(({ backend, works }) => works && backend !== "cpu");
  // One after another: measurements that share a memory bus with others are not worth printing.
  for (const backend of new Set(measurable.map((probe) => probe.backend))) {
    onPart(`measuring copies of ${backend}`);
    copies[backend] = await measureInChild(backend);
  }
  onPart("measuring host memory and spill");
  return {
    schema: "vdnn-doctor/1",
    node: process.version,
    platform: `${os.type()} ${os.release()} ${os.arch()}`,
    processor: os.cpus()[0]?.model.trim() ?? "unknown",
    cores: os.availableParallelism(),
    memoryLimits: memoryLimits(),
    environment: Object.fromEntries(
      VARIABLES.flatMap((name) => {
        const value = process.env[name];
        return value === undefined ? [] : [[name, value]];
      }),
    ),
    backends,
    measured: {
      copies,
      hostCopyGBps: await measureMemory(),
      spill: await measureSpill(spillDirectory).catch((error: unknown) => ({ error: firstLine(error) })),
    },
  };
}

/** The report as people read it. */
export function renderDoctor(report: DoctorReport): string {
  const { measured } = report;
  const lines = [
    `Node.js ${report.node} on ${report.platform}`,
    `${report.cores} cores: ${report.processor}`,
    "",
    "Memory limits",
    ...report.memoryLimits.map(({ source, bytes }) => `  ${formatBytes(bytes).padStart(9)}  ${source}`),
    ...Object.entries(report.environment).map(([name, value]) => `  ${name}=${value}`),
    "",
    "Backends",
    ...report.backends.flatMap((probe) => renderBackend(probe)),
    "",
    "Copies, measured (median, GB/s)     to host  to device",
    ...Object.entries(measured.copies).flatMap(([backend, rates]) =>
      "error" in rates
        ? [`  ${backend}: not measured, ${rates.error}`]
        : [
            rateLine(`${backend} by vdnn`, rates.offloadGBps, rates.prefetchGBps),
            rateLine(`${backend} by TensorFlow.js`, rates.readGBps, rates.writeGBps),
          ],
    ),
    `  ${"host to host".padEnd(30)}${figure(measured.hostCopyGBps)}`,
    "",
    ...renderSpill(measured.spill),
  ];
  return `${lines.join("\n")}\n`;
}

function renderBackend(probe: BackendProbe): string[] {
  const name = `  ${probe.backend.padEnd(11)} ${probe.packageName.padEnd(31)}`;
  if (probe.works) {
    const version = probe.tensorflowVersion === undefined ? "" : `, TensorFlow ${probe.tensorflowVersion}`;
    const software = probe.device === "CPU" ? " (a software adapter: slow)" : "";
    const adapter = probe.adapter === undefined ? "" : `, adapter ${probe.adapter}${software}`;
    return [`${name} works on the ${probe.device ?? "CPU"}${version}${adapter}`];
  }
  return [`${name} does not work: ${probe.reason ?? "unknown"}`, `${" ".repeat(46)}mend: ${probe.remedy ?? "npm ci"}`];
}

function renderSpill(spill: Measured<SpillRates>): string[] {
  if ("error" in spill) return [`Spill: not measured, ${spill.error}`];
  const how = spill.direct ? "O_DIRECT" : "through the page cache";
  return [
    `Spill to ${spill.directory} (${how}), measured (median, GB/s)`,
    `  ${"write".padEnd(30)}${figure(spill.writeGBps)}`,
    `  ${"read".padEnd(30)}${figure(spill.readGBps)}`,
  ];
}

function rateLine(label: string, toHost: number, toDevice: number): string {
  return `  ${label.padEnd(30)}${figure(toHost)}${figure(toDevice)}`;
}

function figure(rate: number): string {
  return rate.toFixed(2).padStart(11);
}

function memoryLimits(): MemoryLimit[] {
  const found: [string, number | undefined][] = [
    ["machine, all of it", os.totalmem()],
    ["machine, free now", os.freemem()],
    ["cgroup v2 (memory.max)", numberIn("/sys/fs/cgroup/memory.max")],
    ["cgroup v1 (memory.limit_in_bytes)", numberIn("/sys/fs/cgroup/memory/memory.limit_in_bytes")],
    ["process.constrainedMemory()", process.constrainedMemory()],
    ["address space (ulimit -v)", numberIn("/proc/self/limits", /Max address space\s+(\d+)/)],
  ];
  return found
    .flatMap(([source, bytes]) =>
      bytes !== undefined && bytes > 0 && bytes < UNLIMITED_BYTES ? [{ source, bytes }] : [],
    )
    .sort((a, b) => a.bytes - b.bytes);
}

function numberIn(file: string, pattern = /^(\d+)/): number | undefined {
  try {
    const digits = pattern.exec(readFileSync(file, "utf8"))?.[1];
    return digits === undefined ? undefined : Number(digits);
  } catch {
    return undefined;
  }
}

async function measureInChild(backend: BackendName): Promise<Measured<CopyRates>> {
  const source = import.meta.url.endsWith(".ts");
  const module = new URL(`../backends/measure.${source ? "ts" : "js"}`, import.meta.url).href;
  const loader = source ? ["--import", pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href] : [];
  const script = `const { measureCopies } = await import(${JSON.stringify(module)});
    process.stdout.write(JSON.stringify(await measureCopies(${JSON.stringify(backend)})));`;
  const env = { ...process.env, NODE_OPTIONS: "", TF_CPP_MIN_LOG_LEVEL: "2" };
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [...loader, "--input-type=module", "-e", script], {
      env,
      timeout: MEASURE_TIMEOUT_MS,
    });
    return JSON.parse(stdout) as CopyRates;
  } catch (error) {
    const { stderr = "", signal } = error as { stderr?: string; signal?: string };
    return { error: /^\w*Error.*: (.*)$/m.exec(stderr)?.[1] ?? signal ?? firstLine(error) };
  }
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
}
