/** Layers that ran, and what each machine makes of them: counts of two independent kinds must agree. */
import { beforeAll, describe, expect, it } from "vitest";
import { MAC_UNIT_PJ } from "../../../src/accelerator/energy-data.ts";
import { compareDataflows } from "../../../src/accelerator/dataflows/index.ts";
import { costModelOf, machineNamed } from "../../../src/accelerator/infer/machines.ts";
import { costNetwork, type NetworkCost } from "../../../src/accelerator/infer/network-cost.ts";
import { energySum } from "../../../src/accelerator/infer/power.ts";
import type { InferenceRun } from "../../../src/accelerator/infer/run.ts";
import { macsOf } from "../../../src/accelerator/layer.ts";
import { loadTensorFlow } from "../../../src/backends/load.ts";
import type { TensorFlow } from "../../../src/runtime/engine.ts";
import { run, settingsOf, sparseModel } from "./models.ts";

let tf: TensorFlow;
let onEyeriss: InferenceRun;
let onEie: InferenceRun;

beforeAll(async () => {
  ({ tf } = await loadTensorFlow("cpu"));
  const model = sparseModel(tf);
  onEyeriss = await run(tf, model, "eyeriss");
  onEie = await run(tf, model, "eie");
});

function cost(
  accelerator: string,
  layers: InferenceRun,
  overrides: Parameters<typeof settingsOf>[1] = {},
): NetworkCost {
  const settings = settingsOf(accelerator, overrides);
  const model = costModelOf(machineNamed(accelerator), settings);
  return costNetwork(layers, { model, energy: settings.energy, batch: 2 });
}

describe("a run", () => {
  it("leaves the backend that was active, and computes what FP32 does but for rounding", () => {
    expect(tf.getBackend()).toBe("cpu");
    for (const { agreement, reference, outputShape, outputs } of [onEyeriss, onEie]) {
      expect(reference).toBe("cpu");
      expect(agreement).toMatchObject({ sameTop1: 2, samples: 2 });
      expect(agreement.maxAbsDifference).toBeLessThan(0.02);
      expect(outputShape).toEqual([2, 10]);
      expect(outputs).toHaveLength(20);
    }
  });

  it("takes the kernels off the registry again, so that it can be repeated", async () => {
    const model = sparseModel(tf);
    const [first, second] = [await run(tf, model, "eie"), await run(tf, model, "eie")];
    expect(second.outputs).toEqual(first.outputs);
  });

  it("keeps operands for machines whose time depends on them, and for no other", () => {
    expect(onEyeriss.layers.every(({ operands }) => operands === null)).toBe(true);
    expect(onEie.layers.every(({ operands }) => operands !== null)).toBe(true);
  });
});

describe("on Eyeriss", () => {
  it("gates exactly the MACs whose input is zero, in the map or its padding", () => {
    const { layers } = cost("eyeriss", onEyeriss);
    expect(layers.map(({ cost: { layer } }) => layer.name)).toEqual(["conv", "point", "fc1", "fc2"]);
    for (const { cost: each, layer } of layers) {
      const macs = layer.ran?.macs;
      expect(each.gatedMacs).toBeCloseTo((macs?.zeroInput ?? 0) + (macs?.padding ?? 0), 3);
      expect(each.skippedMacs).toBe(0);
    }
    expect(layers[0]?.cost.gatedMacs).toBeGreaterThan(0);
  });

  it("costs a fully connected layer as a 1 × 1 convolution of as many MACs, with a mapping", () => {
    const fc = cost("eyeriss", onEyeriss).layers.find(({ cost: { layer } }) => layer.name === "fc1");
    expect(fc?.cost.macs).toBe(2 * 432 * 150);
    expect(fc?.details).toMatchObject({ kind: "eyeriss", origin: "searched" });
  });

  it("leaves a filter that is larger than the array to the host, says so, and counts its MACs", () => {
    const { layers, host } = cost("eyeriss", onEyeriss, { pes: { rows: 2, columns: 14 } });
    expect(layers.map(({ cost: { layer } }) => layer.name)).toEqual(["point", "fc1", "fc2"]);
    expect(host[0]).toMatchObject({ kernel: "FusedConv2D", layers: ["conv"], macs: 2 * 144 * 18 * 8 });
    expect(host[0]?.reason).toContain("its filter has 3 rows and the array 2");
    expect(host[0]?.arithmeticPj).toBeCloseTo(2 * 144 * 18 * 8 * (3.7 + 0.9), 6);
  });
});

describe("on EIE", () => {
  it("spends cycles on exactly the MACs of which neither operand is zero, but for fillers, as the backend counted them", () => {
    const { layers } = cost("eie", onEie);
    expect(layers.map(({ cost: { layer } }) => layer.name)).toEqual(["point", "fc1", "fc2"]);
    for (const { cost: each, layer } of layers) {
      const { total = 0, zeroOperand = 0 } = layer.ran?.macs ?? {};
      expect(each.macs - each.skippedMacs - each.gatedMacs).toBe(total - zeroOperand);
    }
  });

  it("multiplies by a vector per position of a 1 × 1 convolution, and per map of a dense layer", () => {
    const vectors = cost("eie", onEie).layers.map(({ details }) => (details.kind === "eie" ? details.vectors : 0));
    expect(vectors).toEqual([288, 2, 2]);
  });

  it("takes longer with a shorter queue, and less with more elements", () => {
    const cycles = (overrides: Parameters<typeof settingsOf>[1]): number =>
      cost("eie", onEie, overrides).layers.reduce((sum, { cost: each }) => sum + each.cycles, 0);
    expect(cycles({ fifo: 2 })).toBeGreaterThan(cycles({ fifo: 8 }));
    expect(cycles({ pes: 8 })).toBeGreaterThan(cycles({ pes: 64 }));
  });

  it("pays for sums of the width that was asked for", () => {
    const arithmetic = (accumulate: "int16" | "int32"): number =>
      cost("eie", onEie, { accumulate }).layers.reduce((sum, { cost: each }) => sum + each.energyPj.arithmetic, 0);
    const { multiplyPj, addPj } = settingsOf("eie").energy;
    const [narrow, wide] = [multiplyPj.int16 + addPj.int16, multiplyPj.int16 + addPj.int32];
    expect(arithmetic("int32") / arithmetic("int16")).toBeCloseTo(wide / narrow, 9);
  });

  it("leaves larger filters to the host", () => {
    const { host } = cost("eie", onEie);
    expect(host.filter(({ reason }) => reason !== null).map(({ layers }) => layers)).toEqual([["conv"]]);
  });

  it("refuses products of activations, whose matrix is not there beforehand", () => {
    const [layer] = onEie.layers;
    const attention = { ...onEie, layers: layer === undefined ? [] : [{ ...layer, hasWeights: false }] };
    expect(cost("eie", attention).host[0]?.reason).toContain("both operands are activations");
  });
});

describe("on the other machines", () => {
  it("is never faster on Eyeriss than on an ideal dense machine of its size", () => {
    const ideal = cost("ideal-dense", onEyeriss).layers;
    for (const [i, { cost: each }] of cost("eyeriss", onEyeriss).layers.entries()) {
      expect(ideal[i]?.cost.cycles).toBeLessThanOrEqual(each.cycles);
      expect(ideal[i]?.cost.cycles).toBeCloseTo(macsOf(each.layer) / 168, 9);
    }
  });

  it("costs a dataflow what the framework does, in picojoules", () => {
    const shapes = onEyeriss.layers.map(({ shape }) => shape);
    for (const { name, costs } of compareDataflows(shapes)) {
      const { layers } = cost(name, onEyeriss, { accumulate: "int32" });
      expect(layers).toHaveLength(shapes.length);
      for (const [i, each] of layers.entries()) {
        expect(energySum(each.cost)).toBeCloseTo((costs[i]?.total ?? 0) * MAC_UNIT_PJ, 3);
      }
    }
  });

  it("refuses a dataflow at a width that its memories are not counted in", () => {
    expect(() => cost("weight-stationary", onEyeriss, { precision: "fp32", accumulate: "fp32" })).toThrow(
      "expected int16 or fp16 for weight-stationary, got fp32",
    );
  });
});
