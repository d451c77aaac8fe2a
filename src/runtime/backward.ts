/**
 * The backward loop: the same arithmetic in the same order as TF.js's `backpropagateGradients`, but with nothing kept longer
 * than needed. Stock TF.js holds every saved tensor and every gradient to the end of the pass; here each node runs in a scope
 * of its own, its saved tensors and upstream gradients are disposed right after it, and the rest is the plan's.
 *
 * It is written once, as a generator that yields before each node. The blocking driver runs on; an awaiting driver (backends
 * that cannot block) waits there for what the node needs.
 */
import type { Engine, EngineTensor, TapeNode } from "./engine.ts";

/** Yielded before a node's gradient runs. */
export interface BackwardStep {
  readonly node: TapeNode;
  /** What its gradient is known to read: what it saved, the gradients of its outputs, and those that it adds to. */
  needs(): EngineTensor[];
}

export type BackwardPass = Generator<BackwardStep, (EngineTensor | null)[]>;

/** Runs a pass to its end on the calling thread; kernels fetch what they need by themselves. */
export function driveBlocking<T>(pass: Generator<BackwardStep, T>): T {
  for (;;) {
    const next = pass.next();
    if (next.done === true) return next.value;
  }
}

/**
 * Gradients of `y` with respect to `xs`. Must be driven inside an engine scope: what it returns lives there.
 *
 * @param tape the nodes that lead from `xs` to `y`, in forward order
 * @param dy gradient of `y`; owned by the caller unless it was made in the surrounding scope
 */
export function* backwardPass(
  engine: Engine,
  tape: readonly TapeNode[],
  xs: readonly EngineTensor[],
  y: EngineTensor,
  dy: EngineTensor,
): BackwardPass {
  const gradients = new GradientTable(engine, xs);
  gradients.set(y, dy);
  for (let i = tape.length - 1; i >= 0; i--) {
    const node = tape[i] as TapeNode;
    yield { node, needs: () => [...node.saved, ...gradients.around(node)] };
    engine.tidy(() => runNode(engine, node, gradients));
    for (const output of node.outputs) gradients.consumed(output);
    disposeSaved(node);
  }
  return xs.map((x) => gradients.get(x) ?? null);
}

/** Returns the gradients that survive the node's scope. */
function runNode(engine: Engine, node: TapeNode, gradients: GradientTable): EngineTensor[] {
  const { kernelName, gradient } = node;
  if (gradient === undefined) {
    throw new Error(`Cannot compute gradient: gradient function not found for ${kernelName}.`);
  }
  const inputGradients = gradient(node.outputs.map((output) => gradients.get(output) ?? null));
  let last = "";
  for (const name in node.inputs) last = name;
  for (const name in node.inputs) {
    const x = node.inputs[name] as EngineTensor;
    const compute = inputGradients[name];
    if (compute === undefined) {
      const found = Object.keys(inputGradients).join(",");
      throw new Error(`Cannot backprop through input ${name}. Available gradients found: ${found}.`);
    }
    // What the last one leaves behind goes with the node's own scope, right after it.
    const dx = name === last ? compute() : engine.tidy(compute);
    if (dx.dtype !== "float32") {
      throw new Error(
        `Error in gradient for op ${kernelName}. The gradient of input ${name} must have 'float32' dtype, but has '${dx.dtype}'`,
      );
    }
    if (!sameShape(dx.shape, x.shape)) {
      throw new Error(
        `Error in gradient for op ${kernelName}. The gradient of input '${name}' has shape '${dx.shape.join()}', ` +
          `which does not match the shape of the input '${x.shape.join()}'`,
      );
    }
    gradients.accumulate(x, dx);
  }
  const survivors: EngineTensor[] = [];
  for (const name in node.inputs) {
    const survivor = gradients.get(node.inputs[name] as EngineTensor);
    if (survivor !== undefined) survivors.push(survivor);
  }
  return survivors;
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Frees what a node saved for its gradient. */
export function disposeSaved(node: TapeNode): void {
  for (const tensor of node.saved) tensor.dispose();
}

/**
 * Gradients by tensor. Invariant: `#holders` counts the entries that a gradient stands in, because a gradient function may
 * hand its `dy` on unchanged; a gradient is disposed when the last entry lets go of it, if this pass made it.
 */
class GradientTable {
  readonly #engine: Engine;
  readonly #scopeId: number;
  readonly #wanted: ReadonlySet<number>;
  readonly #byTensor = new Map<number, EngineTensor>();
  readonly #holders = new Map<EngineTensor, number>();

  constructor(engine: Engine, xs: readonly EngineTensor[]) {
    this.#engine = engine;
    this.#scopeId = engine.state.activeScope?.id ?? -1;
    this.#wanted = new Set(xs.map((x) => x.id));
  }

  get(tensor: EngineTensor): EngineTensor | undefined {
    return this.#byTensor.get(tensor.id);
  }

  set(tensor: EngineTensor, gradient: EngineTensor): void {
    this.#byTensor.set(tensor.id, gradient);
    this.#holders.set(gradient, (this.#holders.get(gradient) ?? 0) + 1);
  }

  accumulate(x: EngineTensor, dx: EngineTensor): void {
    const current = this.get(x);
    if (current === undefined) return this.set(x, dx);
    const sum = this.#engine.runKernel("Add", { a: current, b: dx }) as EngineTensor;
    this.#byTensor.delete(x.id);
    this.#release(current);
    this.set(x, sum);
  }

  /** The gradients that a node reads: of its outputs, and the sums for its inputs so far. */
  around({ inputs, outputs }: TapeNode): EngineTensor[] {
    return [...outputs, ...Object.values(inputs)].flatMap((tensor) => this.get(tensor) ?? []);
  }

  /** The node that made `output` has used its gradient; nobody else will. */
  consumed(output: EngineTensor): void {
    const gradient = this.get(output);
    if (gradient === undefined || this.#wanted.has(output.id)) return;
    this.#byTensor.delete(output.id);
    this.#release(gradient);
  }

  #release(gradient: EngineTensor): void {
    const holders = (this.#holders.get(gradient) ?? 1) - 1;
    if (holders > 0) {
      this.#holders.set(gradient, holders);
      return;
    }
    this.#holders.delete(gradient);
    if (!gradient.kept && gradient.scopeId === this.#scopeId) gradient.dispose();
  }
}

/** The nodes of a tape that lead from `xs` to `y`, in order, with only the inputs that depend on `xs`. As in TF.js. */
export function relevantNodes(tape: readonly TapeNode[], xs: readonly EngineTensor[], y: EngineTensor): TapeNode[] {
  const fromX = new Set(xs.map((x) => x.id));
  const nodesFromX = new Set<number>();
  for (const node of tape) {
    let depends = false;
    for (const name in node.inputs) depends ||= fromX.has((node.inputs[name] as EngineTensor).id);
    if (!depends) continue;
    for (const output of node.outputs) fromX.add(output.id);
    nodesFromX.add(node.id);
  }
  const toY = new Set([y.id]);
  const nodesToY = new Set<number>();
  for (let i = tape.length - 1; i >= 0; i--) {
    const node = tape[i] as TapeNode;
    if (!node.outputs.some((output) => toY.has(output.id))) continue;
    for (const name in node.inputs) {
      toY.add((node.inputs[name] as EngineTensor).id);
      nodesToY.add(node.id);
    }
  }
  return tape
    .filter((node) => nodesFromX.has(node.id) && nodesToY.has(node.id))
    .map((node) => {
      const inputs: Record<string, EngineTensor> = {};
      for (const name in node.inputs) {
        const input = node.inputs[name] as EngineTensor;
        if (fromX.has(input.id)) inputs[name] = input;
      }
      return Object.assign({}, node, { inputs });
    });
}
