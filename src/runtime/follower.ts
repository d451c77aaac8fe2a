/**
 * Follows a plan through a running iteration. The plan's graph is a prediction: each kernel that arrives is compared with the
 * recorded one (name, tensors, sizes), and at the first difference the follower says so and is abandoned. A wrong plan may
 * only cost time.
 */
import type { Graph, KernelIndex, TensorIndex } from "../graph/graph.ts";
import { lastPrefetches } from "../plan/copies.ts";
import type { Plan, PlanStep } from "../plan/plan.ts";
import type { Block, Entry } from "./block.ts";
import { distinct, type Op } from "./oplog.ts";

/** A plan made ready to run: the steps that follow each kernel. */
export interface CompiledPlan {
  readonly graph: Graph;
  readonly plan: Plan;
  /** Steps before the first kernel. */
  readonly first: readonly PlanStep[];
  /** Steps between kernel k and the next. */
  readonly after: readonly (readonly PlanStep[])[];
  /** Device bytes that kernel k needs beyond what is there. */
  readonly needBytes: readonly number[];
  /** Bytes that kernel k reads. */
  readonly inputBytes: readonly number[];
  /** Kernels that use a tensor, ascending. */
  readonly uses: readonly (readonly KernelIndex[])[];
  /** Tensors in the order in which the plan calls them back. */
  readonly prefetches: readonly TensorIndex[];
  /** Prefetches that leave the copy in the vault, because a later absence will need it. */
  readonly keepingCopy: ReadonlySet<PlanStep>;
  /** Frees of what is prefetched later. Should the copy be missing after all, they make it. */
  readonly relyingOnCopy: ReadonlySet<PlanStep>;
  /**
   * Takes the kernels' times in the next iteration, ms; null when the plan was made with such. The recorded iteration ran cold
   * and reactively, so its times are no good guide.
   */
  readonly timings: Float64Array | null;
  /** It keeps the budget, and an iteration has followed it to its end. */
  readonly isProven: boolean;
}

/** What is smaller waits for the end of its scope: freeing it early costs more than it gives. */
export const MIN_FREE_BYTES = 1024;

/**
 * @param calibrated the graph has times of an iteration that followed a plan
 * @param fits the plan keeps the budget
 */
export function compile(graph: Graph, plan: Plan, calibrated: boolean, fits: boolean): CompiledPlan {
  const first: PlanStep[] = [];
  const after: PlanStep[][] = graph.kernels.map(() => []);
  let list = first;
  for (const step of plan.steps) {
    if (step.kind === "compute") list = after[step.kernel] ?? [];
    else if (step.kind !== "free" || (graph.tensors[step.tensor]?.bytes ?? 0) >= MIN_FREE_BYTES) list.push(step);
  }
  const uses: KernelIndex[][] = graph.tensors.map(() => []);
  graph.kernels.forEach(({ inputs, outputs }, k) => {
    for (const t of distinct([...inputs, ...outputs])) uses[t]?.push(k);
  });
  const needBytes = graph.kernels.map(({ outputs, workspaceBytes = 0 }, k) =>
    outputs.reduce((sum, t) => sum + (uses[t]?.[0] === k ? (graph.tensors[t]?.bytes ?? 0) : 0), workspaceBytes),
  );
  const prefetches = plan.steps.flatMap((step) =>
    step.kind === "prefetch" && step.tier !== "host" ? [step.tensor] : [],
  );
  const timings = calibrated ? null : new Float64Array(graph.kernels.length).fill(Number.NaN);
  const isLast = lastPrefetches(graph, plan.steps);
  const keepingCopy = new Set(plan.steps.filter((step, i) => step.kind === "prefetch" && isLast[i] === 0));
  return {
    graph,
    plan,
    first,
    after,
    needBytes,
    inputBytes: graph.kernels.map(({ inputs }) => inputs.reduce((sum, t) => sum + (graph.tensors[t]?.bytes ?? 0), 0)),
    uses,
    prefetches,
    keepingCopy,
    relyingOnCopy: reliantFrees(graph, plan.steps),
    timings,
    isProven: calibrated && fits,
  };
}

function reliantFrees(graph: Graph, steps: readonly PlanStep[]): Set<PlanStep> {
  const frees = new Set<PlanStep>();
  const comesBack = new Set<TensorIndex>();
  for (const step of steps.toReversed()) {
    if (step.kind === "prefetch") comesBack.add(step.tensor);
    else if (step.kind === "free") {
      if (comesBack.has(step.tensor)) frees.add(step);
    } else if (step.kind !== "offload") {
      for (const t of graph.kernels[step.kernel]?.outputs ?? []) comesBack.delete(t);
    }
  }
  return frees;
}

export class Follower {
  readonly compiled: CompiledPlan;
  readonly #blocks: (Block | undefined)[] = [];
  #kernel: KernelIndex = 0;

  constructor(compiled: CompiledPlan) {
    this.compiled = compiled;
  }

  /** The kernel that is due. */
  get kernel(): KernelIndex {
    return this.#kernel;
  }

  get isComplete(): boolean {
    return this.#kernel === this.compiled.graph.kernels.length;
  }

  block(tensor: TensorIndex): Block | undefined {
    return this.#blocks[tensor];
  }

  /** Position of the next use of a tensor at or after the kernel that is due; larger is later. */
  nextUse(tensor: TensorIndex): number {
    const uses = this.compiled.uses[tensor] ?? [];
    const next = uses.find((k) => k >= this.#kernel);
    // Unused for the rest of this iteration: its first use in the next one.
    return next ?? this.compiled.graph.kernels.length + (uses[0] ?? 0);
  }

  /**
   * The tensor is used again before an awaiting driver can wait for it: in the same pass, and in a backward pass, where it waits
   * between nodes, among the next `lookAhead` kernels.
   */
  isUsedSoon(tensor: TensorIndex, lookAhead: number): boolean {
    const { kernels } = this.compiled.graph;
    const pass = kernels[this.#kernel]?.pass;
    const next = this.nextUse(tensor);
    if (pass === undefined || kernels[next]?.pass !== pass) return false;
    return pass !== "backward" || next - this.#kernel < lookAhead;
  }

  /** Tensors that the next kernels read, those of the due one first. */
  *readsOfNext(count: number): Generator<Block, void> {
    const { kernels } = this.compiled.graph;
    const end = Math.min(kernels.length, this.#kernel + count);
    for (let k = this.#kernel; k < end; k++) {
      for (const tensor of kernels[k]?.inputs ?? []) {
        const block = this.#blocks[tensor];
        if (block !== undefined) yield block;
      }
    }
  }

  /** Device bytes that the due kernel needs, if it has this name and reads as much. */
  needOf(name: string, reads: readonly Entry[]): number | undefined {
    const { graph, inputBytes, needBytes } = this.compiled;
    if (graph.kernels[this.#kernel]?.name !== name) return undefined;
    let bytes = 0;
    for (let i = 0; i < reads.length; i++) {
      const { block } = reads[i] as Entry;
      if (!isAmong(reads, i, block)) bytes += block.bytes;
    }
    return bytes === inputBytes[this.#kernel] ? needBytes[this.#kernel] : undefined;
  }

  /** True when the kernel that has run is the one that is due. Binds tensors that it sees for the first time. */
  matches({ name, reads, writes }: Op): boolean {
    const expected = this.compiled.graph.kernels[this.#kernel];
    if (expected === undefined || expected.name !== name) return false;
    let position = 0;
    for (let i = 0; i < reads.length; i++) {
      const { block } = reads[i] as Entry;
      const tensor = expected.inputs[position];
      // Bound already, the common case; the inputs of a kernel are distinct.
      if (tensor !== undefined && block.index === tensor) position++;
      else if (isAmong(reads, i, block)) continue;
      else if (tensor === undefined || !this.#bind(block, tensor)) return false;
      else position++;
    }
    if (position !== expected.inputs.length) return false;
    position = 0;
    for (let i = 0; i < writes.length; i++) {
      const { block } = writes[i] as Entry;
      if (isAmong(writes, i, block) || isAmong(reads, reads.length, block)) continue;
      const tensor = expected.outputs[position++];
      if (tensor === undefined || !this.#isOfSize(block, tensor)) return false;
      this.rebind(tensor, block);
    }
    return position === expected.outputs.length;
  }

  advance(): void {
    this.#kernel++;
  }

  /** A rebuilt tensor lives in another block from now on. */
  rebind(tensor: TensorIndex, block: Block): void {
    this.#blocks[tensor] = block;
    block.index = tensor;
  }

  /** Forgets the indices that blocks carry. */
  unbind(): void {
    for (const block of this.#blocks) if (block !== undefined) block.index = -1;
  }

  /** The record has the bytes at its end. A block that has none yet gets its buffer later in the iteration. */
  #isOfSize({ bytes }: Block, tensor: TensorIndex): boolean {
    return bytes === 0 || this.compiled.graph.tensors[tensor]?.bytes === bytes;
  }

  #bind(block: Block, tensor: TensorIndex): boolean {
    if (block.index !== -1 || this.#blocks[tensor] !== undefined) return false;
    if (!this.#isOfSize(block, tensor)) return false;
    this.#blocks[tensor] = block;
    block.index = tensor;
    return true;
  }
}

/** One of the first `count` entries is on this block. */
function isAmong(entries: readonly Entry[], count: number, block: Block): boolean {
  for (let i = 0; i < count; i++) if ((entries[i] as Entry).block === block) return true;
  return false;
}
