/**
 * What a session hands out as the recorded iteration: of all kinds that it has seen (a short last batch, another model, an
 * evaluation with gradients) the one with the largest activations; of several alike the latest, because the first iteration makes
 * the optimizer's state and is unlike all that follow.
 */
import type { Graph } from "../graph/graph.ts";

/** Most kinds that are told apart: shapes may change for ever. */
const MOST_KINDS = 1000;

/** Invariant: the activations and inputs of `largest` have at least the bytes of those of every graph that was added. */
export class Recording {
  readonly #kinds = new Set<number>();
  #bytes = -1;
  #largest: Graph | null = null;

  get largest(): Graph | null {
    return this.#largest;
  }

  /** Kinds of iteration, told apart by the bytes of activations and inputs: the first, with all its extra kernels, is no other kind. Counted up to 1,000. */
  get kinds(): number {
    return this.#kinds.size;
  }

  add(graph: Graph): void {
    let bytes = 0;
    for (const tensor of graph.tensors)
      if (tensor.role === "activation" || tensor.role === "input") bytes += tensor.bytes;
    if (this.#kinds.size < MOST_KINDS) this.#kinds.add(bytes);
    if (bytes < this.#bytes) return;
    this.#bytes = bytes;
    this.#largest = graph;
  }
}
