/** The error of a budget that cannot be kept: what was needed, what is there, and what would help. */
import type { DeviceLimit } from "../backends/adapter.ts";
import { VdnnError } from "../errors.ts";
import { existsBefore } from "../graph/lifetimes.ts";
import { smallestFeasibleBytes } from "../plan/ledger.ts";
import type { Policy } from "../plan/policy.ts";
import { formatBytes } from "../units.ts";
import type { Block } from "./block.ts";
import type { CompiledPlan } from "./compiled-plan.ts";
import type { Kernels } from "./kernels.ts";
import type { OpLog } from "./oplog.ts";

export interface Shortage {
  readonly layer: string;
  readonly needBytes: number;
  readonly usedBytes: number;
  readonly budgetBytes: number;
  /** Of the budget, kept by the backend for other things than tensors; in use too. */
  readonly reservedBytes: number;
  readonly policy: Policy;
  readonly blocks: readonly Block[];
  readonly isWeight: (block: Block) => boolean;
  readonly log: OpLog;
  readonly isInUse: (block: Block) => boolean;
  /** The block is of a size that moves. */
  readonly isMovable: (block: Block) => boolean;
  /** What the session itself keeps for a while: old values of variables, what it recomputed. */
  readonly isOwn: (block: Block) => boolean;
  /** The plan that was being followed, whose graph knows the rest of the iteration. */
  readonly compiled: CompiledPlan | null;
  /** The error of the device's own allocator, where the budget had room and the device had not. */
  readonly refusal: unknown;
}

interface LiveGroup {
  readonly what: string;
  bytes: number;
  count: number;
}

export function outOfMemory(shortage: Shortage): VdnnError {
  const { layer, needBytes, usedBytes, budgetBytes, policy, compiled, blocks, isMovable } = shortage;
  const freeBytes = Math.max(0, budgetBytes - usedBytes);
  const free =
    shortage.refusal === undefined
      ? `${formatBytes(freeBytes)} of ${formatBytes(budgetBytes)} is free`
      : `the device's own allocator refused it with ${formatBytes(usedBytes)} in use`;
  const live = liveGroups(shortage);
  const feasible = smallestFeasible(shortage);
  const advice = remedies(policy, live);
  const liveText = live.map(({ what, bytes, count }) => `${count} ${what} ${formatBytes(bytes)}`).join(", ");
  const isLowerBound = compiled === null || blocks.some((block) => !isMovable(block));
  const weightBytes = bytesOfWeights(shortage);
  const hopeless =
    weightBytes > budgetBytes
      ? `the weights alone need ${formatBytes(weightBytes)}, more than the device budget of ${formatBytes(budgetBytes)}; `
      : "";
  const known = isLowerBound ? "at least " : "";
  return new VdnnError(
    "ERR_OUT_OF_MEMORY",
    `${hopeless}${layer} needs ${formatBytes(needBytes)} but ${free} and nothing more can leave under policy ${policy.name}; live: ${liveText}; smallest feasible device budget: ${known}` +
      `${formatBytes(feasible)}; ${advice.join(", or ")}`,
    {
      layer,
      neededBytes: needBytes,
      freeBytes,
      capacityBytes: budgetBytes,
      weightBytes,
      live,
      largest: largest(shortage),
      smallestFeasibleBytes: feasible,
      smallestFeasibleIsLowerBound: isLowerBound,
      remedies: advice,
    },
    shortage.refusal === undefined ? undefined : { cause: shortage.refusal },
  );
}

/** Of the running iteration, wherever they are. */
function bytesOfWeights({ blocks, isWeight }: Shortage): number {
  let bytes = 0;
  for (const block of blocks) if (isWeight(block)) bytes += block.bytes;
  return bytes;
}

/** The error of a buffer that the device does not make, however much memory is free. */
export function tooLarge(
  { layer, name: kernel }: Pick<Kernels, "layer" | "name">,
  bytes: number,
  limit: DeviceLimit,
): VdnnError {
  return new VdnnError(
    "ERR_OUT_OF_MEMORY",
    `${layer || "a tensor made outside training"} needs one tensor of ${formatBytes(bytes)}${kernel === "" ? "" : ` for ${kernel}`}, ` +
      `and this device makes none above ${formatBytes(limit.bytes)} (${limit.name}); lower the batch size or split the layer`,
    {
      layer,
      kernel,
      neededBytes: bytes,
      limit: limit.name,
      capacityBytes: limit.bytes,
      remedies: ["lower the batch size", "split the layer"],
    },
  );
}

function liveGroups({ blocks, isWeight, isInUse, isOwn, log }: Shortage): LiveGroup[] {
  const groups = new Map<string, LiveGroup>();
  for (const block of blocks) {
    if (block.residency !== "device" || block.bytes === 0) continue;
    const what = isWeight(block)
      ? "weights"
      : block.variables > 0
        ? "other variables"
        : isInUse(block)
          ? "inputs of this kernel"
          : log.origin(block)?.pass === "backward"
            ? "gradients"
            : isOwn(block)
              ? "old values and recomputed tensors"
              : log.origin(block) === null
                ? "tensors of the program"
                : "activations";
    const group = groups.get(what) ?? { what, bytes: 0, count: 0 };
    group.bytes += block.bytes;
    group.count++;
    groups.set(what, group);
  }
  return [...groups.values()].toSorted((a, b) => b.bytes - a.bytes);
}

function largest({
  blocks,
  log,
}: Shortage): { readonly layer: string; readonly kernel: string; readonly bytes: number }[] {
  return blocks
    .filter((block) => block.residency === "device")
    .toSorted((a, b) => b.bytes - a.bytes)
    .slice(0, 5)
    .map((block) => {
      const origin = log.origin(block);
      return { layer: origin?.layer ?? "", kernel: origin?.name ?? "", bytes: block.bytes };
    });
}

/**
 * With a recorded graph: what may not move plus the hungriest kernel. Before that, only what this kernel needs is known, so
 * the figure is a lower bound. It is one too where small tensors stay on the device, because it depends on how many there are.
 */
function smallestFeasible(shortage: Shortage): number {
  const { compiled, blocks, isWeight, isInUse, isMovable, needBytes, policy, usedBytes, reservedBytes } = shortage;
  if (!policy.mayOffload) return usedBytes + needBytes;
  let fixed = reservedBytes;
  for (const block of blocks) {
    if (block.residency === "device" && (isWeight(block) || isInUse(block) || !isMovable(block))) fixed += block.bytes;
  }
  const here = fixed + needBytes;
  if (compiled === null) return here;
  const { graph } = compiled;
  const movable = (t: number): boolean =>
    graph.tensors[t]?.role !== "weight" && existsBefore(graph.tensors[t]?.role ?? "input");
  return Math.max(here, reservedBytes + smallestFeasibleBytes(graph, movable).bytes);
}

function remedies(policy: Policy, live: readonly LiveGroup[]): string[] {
  const advice = ["lower the batch size"];
  if (!policy.mayOffload) advice.push("use policy auto, which may offload and recompute");
  if (live[0]?.what === "weights") advice.push("a device budget above the weights is the least that training needs");
  return advice;
}
