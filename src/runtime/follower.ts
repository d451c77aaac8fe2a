/**
 * Follows a plan through a running iteration. The plan's graph is a prediction: each kernel that arrives is compared with the
 * recorded one (name, tensors, sizes), and at the first difference the follower says so and is abandoned. A wrong plan may
 * only cost time.
 */
import type { KernelIndex, TensorIndex } from "../graph/graph.ts";
import type { Block, Entry } from "./block.ts";
import type { CompiledPlan } from "./compiled-plan.ts";
import type { Op } from "./oplog.ts";

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

  /** The layer whose kernel ran last uses the tensor again in the same pass: a driver may have no chance to wait before that. */
  isUsedInLayer(tensor: TensorIndex): boolean {
    const { kernels } = this.compiled.graph;
    const latest = kernels[this.#kernel - 1];
    const next = kernels[this.nextUse(tensor)];
    return latest !== undefined && next?.layer === latest.layer && next?.pass === latest.pass;
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
