/**
 * Masks that hold pruned weights at zero while the others are trained. They are put on again after every update: masked gradients
 * would not do, since an optimizer with momentum moves weights that have no gradient any more.
 */
import type { LayerVariable, Tensor } from "@tensorflow/tfjs";
import type { TensorFlow } from "../../networks/network.ts";

/** Invariant: after `set` and after every `apply`, each weight whose mask is 0 is exactly +0. */
export class Masks {
  readonly #tf: TensorFlow;
  readonly #masks = new Map<LayerVariable, Tensor>();

  constructor(tf: TensorFlow) {
    this.#tf = tf;
  }

  /** @param mask one number per weight, 0 for those that are pruned */
  set(kernel: LayerVariable, mask: Uint8Array): void {
    this.#masks.get(kernel)?.dispose();
    this.#masks.set(kernel, this.#tf.tensor(mask, kernel.shape as number[], "bool"));
    this.apply();
  }

  apply(): void {
    const tf = this.#tf;
    tf.tidy(() => {
      for (const [kernel, mask] of this.#masks) {
        const weights = kernel.read();
        // A product with the mask would leave -0 where the weight was negative.
        kernel.write(tf.where(mask, weights, tf.zerosLike(weights)));
      }
    });
  }

  dispose(): void {
    for (const mask of this.#masks.values()) mask.dispose();
    this.#masks.clear();
  }
}
