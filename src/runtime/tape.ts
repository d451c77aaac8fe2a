/**
 * What the tape holds on to: the layer of each of its nodes, what relu saves for its gradient, and what the program keeps beyond
 * its scope.
 */
import type { Engine, EngineMethods, EngineTensor, TapeNode } from "./engine.ts";
import type { Iteration } from "./iteration.ts";
import type { LayerTracker } from "./layers.ts";
import type { Residency } from "./residency.ts";

export interface TapeContext {
  readonly engine: Engine;
  readonly residency: Residency;
  readonly iteration: Iteration;
  readonly layers: LayerTracker;
  /** relu's gradient may read relu's output instead of its input: proven equal to the bit on this backend. */
  readonly reluFromOutput: boolean;
}

type Original = Pick<EngineMethods, "addTapeNode" | "keep">;

export class Tape {
  readonly #context: TapeContext;
  readonly #original: Original;
  readonly #reluOutputs = new WeakSet<EngineTensor>();

  constructor(context: TapeContext, original: Original) {
    this.#context = context;
    this.#original = original;
  }

  /** Saved by a relu in place of its input. */
  isReluOutput(tensor: EngineTensor | null | undefined): boolean {
    return tensor !== undefined && tensor !== null && this.#reluOutputs.has(tensor);
  }

  addNode(
    kernelName: string,
    inputs: Record<string, EngineTensor>,
    outputs: EngineTensor[],
    gradient: unknown,
    saved: EngineTensor[],
    attributes: unknown,
  ): void {
    const { engine, iteration, layers, reluFromOutput } = this.#context;
    const { state } = engine;
    const top = iteration.pass === "forward" && state.gradientDepth === 1;
    if (top && kernelName === "Relu" && reluFromOutput && saved.length === 1) this.#saveOutput(outputs[0], saved);
    this.#original.addTapeNode(kernelName, inputs, outputs, gradient, saved, attributes);
    if (top) {
      const node = state.activeTape?.at(-1) as TapeNode;
      node.layer = layers.current ?? iteration.log.ops.length;
    }
  }

  /** The program keeps a tensor: it is not dropped. */
  keep<T extends EngineTensor>(tensor: T): T {
    const { engine, iteration, residency } = this.#context;
    // Inside a kernel this is TF.js saving for the gradient, and the plan knows what is read of that.
    if (iteration.pass !== null && engine.state.kernelDepth === 0) {
      const block = residency.ledger.entry(tensor.dataId)?.block;
      if (block !== undefined) {
        block.kept = true;
        if (block.residency === "dropped") residency.ensure(block, false);
      }
    }
    return this.#original.keep(tensor);
  }

  /**
   * relu(x) > 0 exactly where x > 0, so the mask that relu's gradient builds from its input can be built from its output, which
   * the next layer keeps anyway. (`proveRelu` has checked this backend, NaN and signed zeros included.)
   */
  #saveOutput(output: EngineTensor | undefined, saved: EngineTensor[]): void {
    if (output === undefined) return;
    const { engine, residency } = this.#context;
    const { dataId, shape, dtype } = output;
    residency.adapter.backend.incRef(dataId);
    const clone = engine.makeTensorFromTensorInfo({ dataId, shape, dtype });
    clone.kept = true;
    saved[0]?.dispose();
    saved[0] = clone;
    this.#reluOutputs.add(clone);
  }
}
