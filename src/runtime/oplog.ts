/**
 * The record of one iteration as it runs: every kernel with the entries it read and wrote. It serves twice: to replay a kernel
 * whose output was dropped, and to become a `Graph` that plans are made for.
 */
import type { Graph, GraphKernel, GraphTensor, Pass, Role } from "../graph/graph.ts";
import type { Block, Entry } from "./block.ts";
import type { NamedTensors, Values } from "./engine.ts";

/**
 * One kernel of the running iteration. A constant made from JavaScript values is one without inputs, a read by the program
 * (`dataSync`) one without outputs.
 */
export class Op {
  readonly name: string;
  /** As the kernel was called; tensors in it may be disposed by now, their shapes stay readable. */
  readonly inputs: NamedTensors;
  readonly attributes: object | undefined;
  /** What it read, in order. */
  readonly reads: readonly Entry[];
  /** What it wrote, in order. */
  readonly writes: readonly Entry[];
  /** Measured when no plan is followed; else the recorded time. */
  ms: number;
  /** Device bytes needed while it ran, beyond what was live before: outputs and its own temporaries. */
  needBytes: number;
  /** Set by the iteration that records it, as is the layer. */
  pass: Pass = "forward";
  layer = "";
  /** It may run again, and so may every kernel of the iteration that made what it read. Set when it is recorded. */
  isRebuildable = false;

  constructor(
    name: string,
    inputs: NamedTensors,
    attributes: object | undefined,
    reads: readonly Entry[],
    writes: readonly Entry[],
    ms: number,
    needBytes: number,
  ) {
    this.name = name;
    this.inputs = inputs;
    this.attributes = attributes;
    this.reads = reads;
    this.writes = writes;
    this.ms = ms;
    this.needBytes = needBytes;
  }
}

/** Name of the op that stands for a tensor made from JavaScript values. */
export const CONSTANT = "Constant";
/** Name of the op that stands for a read by the program. */
export const READ = "Read";

/** Attributes of a constant: the values themselves, so that it can be made again. */
export interface ConstantAttributes {
  readonly values: Values;
}

/** Kernels that draw random numbers on the device: running them again gives others. */
const RANDOM_KERNELS: ReadonlySet<string> = new Set(["Multinomial", "RandomUniformInt", "RandomUniform", "Dropout"]);

export function isRandom(kernel: string): boolean {
  return RANDOM_KERNELS.has(kernel);
}

export class OpLog {
  readonly ops: Op[] = [];
  readonly #smallestBytes: number;
  /** A variable took the second block in place of the first. */
  readonly #replaced: { readonly from: Block; readonly to: Block; readonly pass: Pass }[] = [];
  readonly #survivors = new Set<Block>();

  /** @param smallestBytes kernels whose inputs are all smaller may have run on the processor; 0 where none does */
  constructor(smallestBytes: number) {
    this.#smallestBytes = smallestBytes;
  }

  add(op: Op): void {
    this.ops.push(op);
    op.isRebuildable =
      this.isRepeatable(op) && op.reads.every(({ producer }) => producer === null || producer.isRebuildable);
    // What only hands its input on has not made it.
    for (const entry of op.writes) if (!op.reads.includes(entry)) entry.producer = op;
  }

  /**
   * Running the kernel once more gives the same bits. TF.js hands kernels on few values to the processor as long as none of
   * them is on the device; once one was sent there, the device would compute them, and round in its own way.
   */
  isRepeatable({ name, reads }: Op): boolean {
    if (isRandom(name)) return false;
    return reads.length === 0 || reads.some(({ block }) => block.bytes >= this.#smallestBytes);
  }

  /** Layer and kernel that made a block in this iteration, for messages. */
  origin(block: Block): Op | null {
    return block.entries.find((entry) => entry.producer !== null)?.producer ?? null;
  }

  replace(from: Block, to: Block, pass: Pass): void {
    this.#replaced.push({ from, to, pass });
  }

  /** Old values of variables that were assigned before the update. They wait for its success. */
  oldValues(): Block[] {
    return this.#replaced.flatMap(({ from, pass }) => (pass === "update" ? [] : [from]));
  }

  /** What is alive now, at the end of a pass, belongs to the caller: the loss, gradients, tensors it kept. */
  markSurvivors(): void {
    for (const op of this.ops) {
      for (const { alive, block } of op.writes) if (alive) this.#survivors.add(block);
    }
  }

  /** Recipes end here: what an iteration made cannot be made again once its weights have changed. */
  clear(): void {
    for (const op of this.ops) for (const entry of op.writes) entry.producer = null;
    this.ops.length = 0;
    this.#survivors.clear();
    this.#replaced.length = 0;
  }

  /**
   * The recorded iteration as a graph.
   *
   * @param layerKinds kind of each named layer, where a model told it
   * @param names of blocks that variables hold
   */
  toGraph(name: string, layerKinds: ReadonlyMap<string, string>, names: ReadonlyMap<Block, string> = new Map()): Graph {
    const indices = this.#indexBlocks();
    const tensors: GraphTensor[] = indices.roles.map((role, index) => {
      const own = indices.holders[index]?.map((block) => names.get(block)).find((each) => each !== undefined);
      return { bytes: indices.bytes[index] ?? 0, role, ...(own === undefined ? {} : { name: own }) };
    });
    const kernels = this.ops.map((op): GraphKernel => {
      const outputs = distinct(freshBlocks(op).map((block) => indices.of(block)));
      const freshBytes = outputs.reduce((sum, index) => sum + (tensors[index]?.bytes ?? 0), 0);
      return {
        name: op.name,
        layer: op.layer,
        pass: op.pass,
        ms: op.ms,
        inputs: distinct(op.reads.map((entry) => indices.of(entry.block))),
        outputs,
        workspaceBytes: Math.max(0, op.needBytes - freshBytes) + this.#inPlaceBytes(op, indices),
        ...(op.name === CONSTANT || op.name === READ || !this.isRepeatable(op) ? { recomputable: false } : {}),
      };
    });
    const used = new Set(kernels.map((kernel) => kernel.layer ?? ""));
    const layers = Object.fromEntries([...layerKinds].filter(([layer]) => used.has(layer)));
    return { schema: "vdnn-graph/1", name, tensors, kernels, layers };
  }

  /** An update in place has its old and new value on the device at once. */
  #inPlaceBytes(op: Op, indices: BlockIndices): number {
    return op.writes.reduce((sum, { block }) => sum + (indices.isReplacement(block) ? block.bytes : 0), 0);
  }

  #indexBlocks(): BlockIndices {
    const indices = new BlockIndices();
    const lastRead = new Map<Block, number>();
    const written = new Map<Block, number>();
    this.ops.forEach((op, position) => {
      for (const { block } of op.reads) lastRead.set(block, position);
      for (const { block } of op.writes) written.set(block, position);
    });
    const readInGradients = new Set<Block>();
    for (const op of this.ops) {
      if (op.pass !== "update") for (const { block } of op.reads) readInGradients.add(block);
    }
    const predecessor = new Map<Block, Block>();
    const held = new Set<Block>();
    for (const { from, to } of this.#replaced) {
      const at = written.get(to);
      if (
        from !== to &&
        at !== undefined &&
        !written.has(from) &&
        (lastRead.get(from) ?? -1) <= at &&
        from.bytes === to.bytes
      ) {
        predecessor.set(to, from);
        if (to.variables > 0) held.add(from);
      }
    }
    /** Role of a block that existed before the iteration. */
    const outsideRole = (block: Block): Role => {
      if (block.variables === 0 && !held.has(block)) return "input";
      return readInGradients.has(block) ? "weight" : "state";
    };
    for (const op of this.ops) {
      for (const { block } of op.reads) if (!indices.has(block)) indices.add(block, outsideRole(block));
      for (const { block } of op.writes) {
        if (indices.has(block)) continue;
        const old = predecessor.get(block);
        if (old === undefined) indices.add(block, this.#insideRole(block, op.pass));
        else {
          if (!indices.has(old)) indices.add(old, outsideRole(old));
          indices.replace(old, block);
        }
      }
    }
    return indices;
  }

  #insideRole(block: Block, pass: Pass): Role {
    if (this.#survivors.has(block)) return "output";
    return pass === "forward" ? "activation" : "gradient";
  }
}

/** The blocks that an op made. An output that shares its input's memory is no new tensor. */
function freshBlocks({ reads, writes }: Op): Block[] {
  return writes.map((entry) => entry.block).filter((block) => !reads.some((entry) => entry.block === block));
}

class BlockIndices {
  readonly #indices = new Map<Block, number>();
  readonly #replacements = new Set<Block>();
  readonly roles: Role[] = [];
  readonly bytes: number[] = [];
  /** The blocks that are one tensor: old and new value of a variable. */
  readonly holders: Block[][] = [];

  has(block: Block): boolean {
    return this.#indices.has(block);
  }

  of(block: Block): number {
    return this.#indices.get(block) ?? -1;
  }

  isReplacement(block: Block): boolean {
    return this.#replacements.has(block);
  }

  add(block: Block, role: Role): void {
    this.#indices.set(block, this.roles.length);
    this.roles.push(role);
    this.bytes.push(block.bytes);
    this.holders.push([block]);
  }

  /** The new value of a variable is the same tensor of the graph as the old one. */
  replace(from: Block, to: Block): void {
    this.#indices.set(to, this.of(from));
    this.holders[this.of(from)]?.push(to);
    this.#replacements.add(to);
  }
}

export function distinct(values: readonly number[]): number[] {
  return values.length < 2 ? [...values] : [...new Set(values)];
}
