/**
 * Which layer is running. Layer names and kinds come from the tf.layers model, by watching `Layer.apply`; code that calls ops
 * directly gets a layer per op.
 */
import type { TensorFlow } from "./engine.ts";

interface LayerLike {
  readonly name: string;
  /** Containers (models used as layers) have layers of their own. */
  readonly layers?: unknown;
  getClassName(): string;
}

type Apply = (this: LayerLike, inputs: unknown, kwargs: unknown) => unknown;

export class LayerTracker {
  /** Kinds of the layers that ran since `forget`, by name. */
  readonly kinds: Map<string, string> = new Map();
  readonly #stack: string[] = [];
  #followed: (() => string) | null = null;
  readonly #prototype: { apply: Apply } | null;
  readonly #original: Apply | null;

  constructor(tf: TensorFlow) {
    const layer = (tf.layers as unknown as { Layer?: { prototype: { apply: Apply } } } | undefined)?.Layer;
    this.#prototype = layer?.prototype ?? null;
    this.#original = this.#prototype?.apply ?? null;
  }

  /** Name of the innermost layer that runs now; undefined outside any. */
  get current(): string | undefined {
    return this.#followed === null ? this.#stack.at(-1) : this.#followed();
  }

  /** From now on the layer's name is asked for: the backward pass, node by node. Null ends it. */
  follow(name: (() => string) | null): void {
    this.#followed = name;
  }

  install(): void {
    const original = this.#original;
    if (this.#prototype === null || original === null) return;
    const { kinds } = this;
    const stack = this.#stack;
    this.#prototype.apply = function apply(inputs, kwargs) {
      if (this.layers !== undefined) return original.call(this, inputs, kwargs);
      kinds.set(this.name, this.getClassName());
      stack.push(this.name);
      try {
        return original.call(this, inputs, kwargs);
      } finally {
        stack.pop();
      }
    };
  }

  /** Runs `work` under a layer's name: the update of a variable. */
  within<T>(layer: string, work: () => T): T {
    this.#stack.push(layer);
    try {
      return work();
    } finally {
      this.#stack.pop();
    }
  }

  /** An iteration has ended: programs that go on making models would have ever more kinds. */
  forget(): void {
    this.kinds.clear();
  }

  uninstall(): void {
    if (this.#prototype !== null && this.#original !== null) this.#prototype.apply = this.#original;
    this.#stack.length = 0;
  }
}
