/** A network of src/networks, trained from weights that are the same each time. */
import { findNetwork, type NetworkOptions, type TensorFlow } from "../../src/networks/index.ts";

export interface Trained {
  readonly losses: number[];
  /** The bits of each weight. */
  readonly weights: string[];
}

export interface NetworkRun {
  readonly name: string;
  readonly options: NetworkOptions;
  readonly batchSize: number;
}

export async function trainNetwork(
  tf: TensorFlow,
  { name, options, batchSize }: NetworkRun,
  steps: number,
): Promise<Trained> {
  const network = findNetwork(name);
  const model = network.build(tf, options);
  const optimizer = tf.train.sgd(0.01);
  model.compile({ optimizer, loss: network.loss });
  for (const weight of model.trainableWeights) {
    const { size, shape } = weight.read();
    const values = Float32Array.from({ length: size }, (_, i) => Math.sin(i + 1) * 0.3);
    const value = tf.tensor(values, shape);
    weight.write(value);
    value.dispose();
  }
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    const { xs, ys } = network.batch(tf, model, batchSize, step);
    losses.push((await model.trainOnBatch(xs, ys)) as number);
    tf.dispose([xs, ys]);
  }
  const weights = await Promise.all(
    model.weights.map(async (weight) => new Uint32Array((await weight.read().data()).slice().buffer).join()),
  );
  model.dispose();
  optimizer.dispose();
  return { losses, weights };
}
