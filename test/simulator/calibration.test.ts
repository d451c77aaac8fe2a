/**
 * The fit of kernel times: what the model says beside what soumith/convnet-benchmarks measured on a GeForce Titan X, forward and
 * backward, in ms. These are figures that the efficiencies were chosen by, so agreement is no prediction.
 */
import * as tf from "@tensorflow/tfjs";
import { describe, expect, test } from "vitest";
import { createLayers } from "../../src/networks/layers.ts";
import type { Algorithm } from "../../src/simulator/convolution.ts";
import { timed } from "../../src/simulator/kernel-times.ts";
import { modelGraph } from "../../src/simulator/model-graph.ts";
import { withoutWeights } from "../../src/simulator/shape-only.ts";
import type { WorkGraph } from "../../src/simulator/work.ts";
import { TITAN_X, workGraph } from "./graphs.ts";

/** OxfordNet model A, which is in the benchmark and not in src/networks. */
function vggA(batch: number): WorkGraph {
  const build = (): tf.LayersModel => {
    const layers = createLayers(tf, { seed: 1, initialization: "zeros" });
    const input = layers.input([224, 224, 3]);
    let x = input;
    for (const [group, [count, filters]] of [
      [1, 64],
      [1, 128],
      [2, 256],
      [2, 512],
      [2, 512],
    ].entries() as Iterable<[number, [number, number]]>) {
      for (let i = 0; i < count; i++)
        x = layers.conv(x, `conv${group}_${i}`, { filters, kernel: 3, activation: "relu" });
      x = layers.maxPool(x, `pool${group}`, { size: 2, strides: 2 });
    }
    x = layers.flatten(x, "flatten");
    for (const name of ["fc6", "fc7"]) x = layers.dense(x, name, 4096, "relu");
    return tf.model({ name: "vgg-a", inputs: input, outputs: layers.dense(x, "fc8", 1000, "softmax") });
  };
  return modelGraph(withoutWeights(tf, build), { batch });
}

const GRAPHS: Readonly<Record<string, () => WorkGraph>> = {
  AlexNet: () => workGraph("alexnet", 128),
  OverFeat: () => workGraph("overfeat", 128),
  "VGG-A": () => vggA(64),
  GoogLeNet: () => workGraph("googlenet", 128),
};

describe("kernel times against convnet-benchmarks (fitted)", () => {
  test.each<[string, Algorithm, string, number]>([
    ["AlexNet", "p", "cuDNN R4", 81],
    ["OverFeat", "p", "cuDNN R4", 268],
    ["VGG-A", "p", "cuDNN R4", 529],
    ["GoogLeNet", "p", "cuDNN R4", 470],
    ["AlexNet", "m", "cuDNN R2", 231],
    ["OverFeat", "m", "cuDNN R2", 810],
    ["VGG-A", "m", "cuDNN R2", 1099],
  ])("%s by %s: within a quarter of the %s time of %d ms", (network, algorithm, _library, measuredMs) => {
    const graph = timed((GRAPHS[network] as () => WorkGraph)(), TITAN_X, { algorithms: () => algorithm });
    const ms = graph.kernels.reduce((sum, kernel) => sum + (kernel.pass === "update" ? 0 : kernel.ms), 0);
    expect(ms / measuredMs).toBeGreaterThan(0.75);
    expect(ms / measuredMs).toBeLessThan(1.25);
  });
});
