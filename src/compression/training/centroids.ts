/**
 * Training of shared weights (Deep Compression, section 3.3 and figure 3): the gradient of a centroid is the sum of the gradients of
 * the weights that share it. Centroids are the variables that the optimizer moves; weights are looked up from them after every update.
 */
import type { LayerVariable, Optimizer, Tensor, Variable } from "@tensorflow/tfjs";
import type { TensorFlow } from "../../networks/network.ts";
import { lookUp } from "../sharing/share.ts";
import { batchLoss, type Classifier, type Phase, runEpoch, trainableVariables } from "./classifier.ts";
import { writeWeight } from "./weights.ts";

/** A kernel whose weights are `codebook[codes[i]]`; code 0 is zero and stays it. */
export interface SharedKernel {
  readonly kernel: LayerVariable;
  /** One per weight, pruned ones included. */
  readonly codes: Uint8Array;
  readonly codebook: Float32Array;
}

/** Puts the shared weights into the model. */
export function assignShared(tf: TensorFlow, { kernel, codes, codebook }: SharedKernel): void {
  writeWeight(tf, kernel, lookUp(codes, codebook));
}

/**
 * Trains the centroids, and the weights that are not shared, such as biases. The model holds the shared weights afterwards.
 *
 * @returns the kernels with their new codebooks, in the same order
 */
export async function trainCentroids(
  classifier: Classifier,
  shared: readonly SharedKernel[],
  { epochs, learningRate }: Phase,
  name: string,
  onEpoch: (epoch: number, loss: number) => void = () => undefined,
): Promise<SharedKernel[]> {
  const { tf } = classifier;
  const optimizer = classifier.optimizer(tf, learningRate);
  const groups = shared.map((each) => new CentroidGroup(tf, each));
  try {
    for (const group of groups) group.gather();
    for (let epoch = 0; epoch < epochs; epoch++) {
      const step = (xs: Tensor, ys: Tensor): Tensor => centroidStep(classifier, groups, optimizer, xs, ys);
      const { loss } = await runEpoch(classifier, `${name}/${epoch}`, step);
      onEpoch(epoch, loss);
    }
    return await Promise.all(groups.map((group) => group.read()));
  } finally {
    for (const group of groups) group.dispose();
    optimizer.dispose();
  }
}

function centroidStep(
  classifier: Classifier,
  groups: readonly CentroidGroup[],
  optimizer: Optimizer,
  xs: Tensor,
  ys: Tensor,
): Tensor {
  const { tf, model } = classifier;
  return tf.tidy(() => {
    const { value, grads } = tf.variableGrads(() => batchLoss(classifier, xs, ys), trainableVariables(model));
    for (const group of groups) group.replaceGradient(grads);
    optimizer.applyGradients(grads);
    for (const group of groups) group.gather();
    return value;
  });
}

/** Invariant: centroid 0 is 0, as its gradient always is. */
class CentroidGroup {
  readonly #tf: TensorFlow;
  readonly #shared: SharedKernel;
  readonly #codes: Tensor;
  readonly #centroids: Variable;
  /** 0 for code 0, else 1. */
  readonly #moves: Tensor;

  constructor(tf: TensorFlow, shared: SharedKernel) {
    const { codes, codebook } = shared;
    this.#tf = tf;
    this.#shared = shared;
    this.#codes = tf.tensor1d(Int32Array.from(codes), "int32");
    this.#centroids = tf.tidy(() => tf.variable(tf.tensor1d(codebook)));
    this.#moves = tf.tensor1d(Float32Array.from(codebook, (_, code) => (code === 0 ? 0 : 1)));
  }

  /** Among gradients by variable, the kernel's gives way to that of its centroids. */
  replaceGradient(gradients: Record<string, Tensor>): void {
    const kernel = this.#shared.kernel.read() as Variable;
    const gradient = gradients[kernel.name];
    if (gradient === undefined) return;
    delete gradients[kernel.name];
    const sums = this.#tf.unsortedSegmentSum(gradient.flatten(), this.#codes.as1D(), this.#centroids.size);
    gradients[this.#centroids.name] = sums.mul(this.#moves);
  }

  gather(): void {
    const { kernel } = this.#shared;
    this.#tf.tidy(() => {
      kernel.write(this.#centroids.gather(this.#codes.as1D()).reshape(kernel.shape as number[]));
    });
  }

  async read(): Promise<SharedKernel> {
    return { ...this.#shared, codebook: Float32Array.from(await this.#centroids.data()) };
  }

  dispose(): void {
    this.#tf.dispose([this.#codes, this.#centroids, this.#moves]);
  }
}
