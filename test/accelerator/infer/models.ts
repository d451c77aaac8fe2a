/** Small models for inference, and a run of one. */
import type { LayersModel } from "@tensorflow/tfjs";
import { machineNamed, type MachineSettings, precisionOf } from "../../../src/accelerator/infer/machines.ts";
import { type InferenceRun, runInference } from "../../../src/accelerator/infer/run.ts";
import { energyNamed } from "../../../src/accelerator/energy-data.ts";
import { mulberry32 } from "../../../src/networks/data.ts";
import { generatedInputs } from "../../../src/networks/inputs.ts";
import type { TensorFlow } from "../../../src/runtime/engine.ts";

export function settingsOf(accelerator: string, overrides: Partial<MachineSettings> = {}): MachineSettings {
  const formats = precisionOf(machineNamed(accelerator));
  return { energy: energyNamed(), seed: 1, ...formats, ...overrides };
}

export async function run(tf: TensorFlow, model: LayersModel, accelerator: string, batch = 2): Promise<InferenceRun> {
  const inputs = generatedInputs(tf, model, batch, 1);
  try {
    return await runInference(tf, model, inputs, machineNamed(accelerator), settingsOf(accelerator));
  } finally {
    for (const tensor of inputs) tensor.dispose();
  }
}

/** A convolution, a 1 × 1 convolution, pooling and two dense layers, with three quarters of all weights zero. */
export function sparseModel(tf: TensorFlow): LayersModel {
  const model = tf.sequential({
    name: "sparse",
    layers: [
      tf.layers.conv2d({
        name: "conv",
        inputShape: [12, 12, 2],
        filters: 8,
        kernelSize: 3,
        padding: "same",
        activation: "relu",
      }),
      tf.layers.conv2d({ name: "point", filters: 12, kernelSize: 1, activation: "relu" }),
      tf.layers.maxPooling2d({ name: "pool", poolSize: 2, strides: 2 }),
      tf.layers.flatten({ name: "flatten" }),
      tf.layers.dense({ name: "fc1", units: 150, activation: "relu" }),
      tf.layers.dense({ name: "fc2", units: 10, activation: "softmax" }),
    ],
  });
  const random = mulberry32(3);
  // None is so small that 16 bits make it zero.
  const weight = (): number => (random() < 0.4 ? -0.1 - 0.3 * random() : 0.1 + 0.5 * random());
  model.setWeights(
    model.getWeights().map(({ shape, size }) => {
      const values = Float32Array.from({ length: size }, () => (random() < 0.75 ? 0 : weight()));
      return tf.tensor(values, shape);
    }),
  );
  return model;
}
