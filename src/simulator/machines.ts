/** A simulated GPU in its host: a preset of machine-data.ts, its numbers overridden where the user has better ones. */
import { VdnnError } from "../errors.ts";
import type { Machine } from "../plan/policy.ts";
import { GPUS, type GpuPreset, LINKS, type LinkPreset } from "./machine-data.ts";
import { findByName } from "./names.ts";

export interface SimulatedMachine {
  readonly gpu: GpuPreset;
  readonly link: LinkPreset;
  /** Budget, bytes. Default: the GPU's memory, all of it. */
  readonly deviceBytes: number;
  /** Host memory for offloaded data, bytes. Infinity without a budget. */
  readonly hostBytes: number;
  /** FP32 peak, operations per second. */
  readonly flopsPerSecond: number;
  /** Peak of device memory, bytes per second. */
  readonly memoryBytesPerSecond: number;
}

export interface MachineOptions {
  /** Name of a preset: `titan-x`, `v100`. */
  readonly gpu: string;
  /** Name of a link preset, or each direction's rate in GB/s. Default: the GPU's own. */
  readonly link?: string | number | undefined;
  readonly deviceBytes?: number | undefined;
  readonly hostBytes?: number | undefined;
  readonly flopsPerSecond?: number | undefined;
}

/** @throws VdnnError `ERR_INVALID_OPTION` for an unknown name, with the nearest ones, or a number that is not positive */
export function simulatedMachine(options: MachineOptions): SimulatedMachine {
  const gpu = findByName("gpu", GPUS, options.gpu);
  const { deviceBytes = gpu.memoryBytes, hostBytes = Number.POSITIVE_INFINITY } = options;
  const { flopsPerSecond = gpu.teraflops * 1e12 } = options;
  requirePositive("deviceBytes", deviceBytes);
  requirePositive("hostBytes", hostBytes);
  requirePositive("flopsPerSecond", flopsPerSecond);
  return {
    gpu,
    link: linkOf(gpu, options.link),
    deviceBytes,
    hostBytes,
    flopsPerSecond,
    memoryBytesPerSecond: gpu.memoryGBps * 1e9,
  };
}

function linkOf(gpu: GpuPreset, link: string | number | undefined): LinkPreset {
  if (typeof link === "number") {
    requirePositive("link", link);
    return { name: `${link} GB/s`, GBps: link, source: "given by the user" };
  }
  if (link === undefined || link === "nvlink" || link === "pcie") {
    const name = gpu.links.find((each) => each.startsWith(link ?? "")) ?? link ?? "";
    if (!gpu.links.includes(name)) {
      throw new VdnnError(
        "ERR_INVALID_OPTION",
        `link: ${gpu.title} has no ${name} to its host; it has ${gpu.links.join(", ")}. A rate in GB/s works too`,
        { option: "link", got: link, known: gpu.links },
      );
    }
    return findByName("link", LINKS, name);
  }
  return findByName("link", LINKS, link);
}

function requirePositive(option: string, value: number): void {
  if (value > 0) return;
  throw new VdnnError("ERR_INVALID_OPTION", `${option}: expected more than 0, got ${value}`, { option, got: value });
}

/** As a planner sees it. */
export function plannerMachine({ gpu, link, deviceBytes, hostBytes }: SimulatedMachine): Machine {
  return {
    name: `${gpu.title}, ${link.name}`,
    deviceBytes,
    hostBytes,
    offloadGBps: link.GBps,
    prefetchGBps: link.GBps,
  };
}
