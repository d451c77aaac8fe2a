/**
 * An independent re-check of a plan, simple and slow, that shares no code with policies, planner, dry run or timeline. It reads
 * the list twice: here in list order (who holds which version of what, and the budgets when every release happens at its step),
 * and in `retime.ts` in time (when everything happens, who holds how much then, and who touches a buffer at the same time).
 */
import { VdnnError } from "../errors.ts";
import type { Graph, KernelIndex, TensorIndex } from "../graph/graph.ts";
import { existsAfter, existsBefore } from "../graph/lifetimes.ts";
import { formatBytes } from "../units.ts";
import type { PlanStep, Tier } from "./plan.ts";
import type { Machine } from "./policy.ts";
import { type Fail, readAgain, retime } from "./retime.ts";

export interface Validation {
  readonly stepMs: number;
  /** Time that compute waited, ms. */
  readonly stallMs: number;
  /** Highest along the list, every release at its step. In time no more is ever held than the budget. */
  readonly peakDeviceBytes: number;
  readonly peakHostBytes: number;
  readonly peakSpillBytes: number;
}

const { POSITIVE_INFINITY } = Number;
const UNLIMITED: Machine = {
  name: "unlimited",
  deviceBytes: POSITIVE_INFINITY,
  hostBytes: POSITIVE_INFINITY,
  spillBytes: POSITIVE_INFINITY,
  offloadGBps: POSITIVE_INFINITY,
  prefetchGBps: POSITIVE_INFINITY,
  spillWriteGBps: POSITIVE_INFINITY,
  spillReadGBps: POSITIVE_INFINITY,
};

/** Where the current iteration finds and leaves a tensor that outlives it. */
type Place = "device" | Tier;

/** The kernel that wrote it last; -1 for what was there before the iteration. */
type Version = KernelIndex;

/** What a tier holds, by version. Invariant: `bytes` is the sum over its tensors. */
class Held {
  readonly #graph: Graph;
  readonly #versions = new Map<TensorIndex, Version>();
  bytes = 0;

  constructor(graph: Graph) {
    this.#graph = graph;
  }

  has(t: TensorIndex): boolean {
    return this.#versions.has(t);
  }

  get(t: TensorIndex): Version | undefined {
    return this.#versions.get(t);
  }

  set(t: TensorIndex, version: Version): void {
    if (!this.has(t)) this.bytes += this.#graph.tensors[t]?.bytes ?? 0;
    this.#versions.set(t, version);
  }

  delete(t: TensorIndex): void {
    if (this.#versions.delete(t)) this.bytes -= this.#graph.tensors[t]?.bytes ?? 0;
  }
}

/** The same for all tiers, along the list. */
interface Holdings {
  readonly device: Held;
  readonly host: Held;
  readonly spill: Held;
}

/**
 * @param machine or a device budget alone, where host and bandwidth are not what is asked about
 * @throws VdnnError `ERR_INVALID_PLAN` naming the step and the rule that it breaks: `details` has `position`, `step`, `rule`, and
 * `neededBytes` where a budget is exceeded
 */
export function validate(graph: Graph, steps: readonly PlanStep[], machine: Machine | number): Validation {
  const budgets = typeof machine === "number" ? { ...UNLIMITED, deviceBytes: machine } : machine;
  const fail: Fail = (position, rule, details = {}) => {
    const step = steps[position];
    const where = step === undefined ? "end" : `step ${position} (${JSON.stringify(step)})`;
    throw new VdnnError("ERR_INVALID_PLAN", `${where}: ${rule}`, { position, step, rule, ...details });
  };
  const peaks = checkList(graph, steps, budgets, fail);
  return { ...retime(graph, steps, budgets, startPlaces(graph, steps), fail), ...peaks };
}

/** A tensor whose first step is a prefetch was left outside by the iteration before: in the tier where this one leaves it. */
function startPlaces(graph: Graph, steps: readonly PlanStep[]): Map<TensorIndex, Place> {
  const first = new Map<TensorIndex, PlanStep>();
  const left = new Map<TensorIndex, Tier>();
  for (const step of steps) {
    const kernel = "tensor" in step ? undefined : graph.kernels[step.kernel];
    const touched = "tensor" in step ? [step.tensor] : [...(kernel?.inputs ?? []), ...(kernel?.outputs ?? [])];
    for (const t of touched) if (!first.has(t)) first.set(t, step);
    if (step.kind === "offload") left.set(step.tensor, step.tier);
  }
  const places = new Map<TensorIndex, Place>();
  graph.tensors.forEach(({ role }, t) => {
    if (!existsBefore(role)) return;
    const step = first.get(t);
    if (step?.kind === "prefetch") places.set(t, left.get(t) ?? (step.tier === "host" ? "spill" : "host"));
    else places.set(t, "device");
  });
  return places;
}

function checkList(
  graph: Graph,
  steps: readonly PlanStep[],
  machine: Machine,
  fail: Fail,
): Pick<Validation, "peakDeviceBytes" | "peakHostBytes" | "peakSpillBytes"> {
  const held: Holdings = { device: new Held(graph), host: new Held(graph), spill: new Held(graph) };
  const places = startPlaces(graph, steps);
  for (const [t, place] of places) held[place].set(t, -1);
  const expected = readVersions(graph);
  const isReadAgain = readAgain(graph, steps);
  const budgets = { device: machine.deviceBytes, host: machine.hostBytes, spill: machine.spillBytes ?? 0 };
  const peaks = { device: 0, host: 0, spill: 0 };
  /** `extra`: bytes that are held during the step only. */
  const spend = (position: number, tier: keyof Holdings, extra = 0): void => {
    const bytes = held[tier].bytes + extra;
    peaks[tier] = Math.max(peaks[tier], bytes);
    if (bytes <= budgets[tier]) return;
    const rule = `${formatBytes(bytes)} exceed the budget of ${formatBytes(budgets[tier])} on the ${tier}`;
    fail(position, rule, { tier, neededBytes: bytes, budgetBytes: budgets[tier] });
  };
  spend(0, "device");
  spend(0, "host");
  spend(0, "spill");
  let next = 0;
  steps.forEach((step, i) => {
    if (step.kind === "compute" || step.kind === "recompute") {
      const k = step.kernel;
      const kernel = graph.kernels[k] ?? fail(i, "there is no such kernel");
      if (step.kind === "compute" && k !== next++) fail(i, `kernel ${next - 1} is due`);
      if (step.kind === "recompute" && k >= next) fail(i, "it has not run a first time");
      if (step.kind === "recompute" && kernel.recomputable === false) fail(i, "running it again gives another result");
      for (const t of kernel.inputs) {
        const version = held.device.get(t);
        const right = expected.get(k)?.get(t);
        if (version === undefined) fail(i, `input ${t} is not on the device`);
        if (version !== right) {
          fail(i, `input ${t} has the content of kernel ${version}, not of kernel ${right ?? "?"} as in the iteration`);
        }
      }
      for (const t of kernel.outputs) {
        held.device.set(t, k);
        held.host.delete(t);
        held.spill.delete(t);
      }
      spend(i, "device", kernel.workspaceBytes ?? 0);
      return;
    }
    const t = step.tensor;
    const bytes = graph.tensors[t]?.bytes ?? fail(i, "there is no such tensor");
    const [onDevice, onHost, onSpill] = [held.device.get(t), held.host.get(t), held.spill.get(t)];
    if (step.kind === "free") {
      if (onDevice === undefined) fail(i, "the tensor is not on the device");
      held.device.delete(t);
    } else if (step.kind === "offload") {
      const source = onDevice ?? (step.tier === "spill" ? onHost : undefined);
      const version = source ?? fail(i, "the tensor is not on the device");
      const passes = step.tier === "spill" && onHost === undefined && onSpill === undefined;
      if (step.tier === "host") held.host.set(t, version);
      spend(i, "host", passes ? bytes : 0);
      if (step.tier === "spill") {
        held.spill.set(t, version);
        held.host.delete(t);
        spend(i, "spill");
      }
      if (step.keep !== true) held.device.delete(t);
    } else {
      const version = onHost ?? onSpill ?? fail(i, "there is no valid copy of the tensor outside the device");
      if (step.tier === "host") {
        if (onHost !== undefined) fail(i, "the tensor is on the host already");
        held.host.set(t, version);
        return spend(i, "host");
      }
      if (onDevice !== undefined) fail(i, "the tensor is on the device already");
      spend(i, "host", onHost === undefined ? bytes : 0);
      held.device.set(t, version);
      spend(i, "device");
      if (isReadAgain[i] !== true) {
        held.host.delete(t);
        held.spill.delete(t);
      }
    }
  });
  if (next !== graph.kernels.length) fail(steps.length, `only ${next} of ${graph.kernels.length} kernels run`);
  checkEnd(graph, held, places, fail, steps.length);
  return { peakDeviceBytes: peaks.device, peakHostBytes: peaks.host, peakSpillBytes: peaks.spill };
}

/** For each kernel, the version of each input that the iteration without any plan would read. */
function readVersions(graph: Graph): Map<KernelIndex, Map<TensorIndex, Version>> {
  const written = new Map<TensorIndex, Version>();
  const reads = new Map<KernelIndex, Map<TensorIndex, Version>>();
  graph.kernels.forEach((kernel, k) => {
    reads.set(k, new Map(kernel.inputs.map((t) => [t, written.get(t) ?? -1])));
    for (const t of kernel.outputs) written.set(t, k);
  });
  return reads;
}

/** What outlives the iteration is there, in its last version; what the next iteration looks for in one place is left there. */
function checkEnd(graph: Graph, held: Holdings, places: Map<TensorIndex, Place>, fail: Fail, end: number): void {
  const lastWriter = new Map<TensorIndex, KernelIndex>();
  graph.kernels.forEach(({ outputs }, k) => outputs.forEach((t) => lastWriter.set(t, k)));
  graph.tensors.forEach(({ role }, t) => {
    const writer = lastWriter.get(t) ?? -1;
    if (!existsAfter(role) || (writer < 0 && !existsBefore(role))) return;
    const copies = [held.device.get(t), held.host.get(t), held.spill.get(t)].filter((version) => version !== undefined);
    if (copies.length === 0) fail(end, `tensor ${t} (${role}) must outlive the iteration`);
    if (copies.some((version) => version !== writer)) fail(end, `tensor ${t} (${role}) ends in an old version`);
    const place = places.get(t);
    if ((role === "weight" || role === "state") && place !== undefined && !held[place].has(t)) {
      fail(end, `tensor ${t} (${role}) must be left on the ${place}, where the iteration found it`);
    }
  });
}
