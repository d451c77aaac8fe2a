/** Shapes without a run are those of a run; layers that run more than once; sampled products on EIE. */
import { beforeAll, describe, expect, it } from "vitest";
import { EIE } from "../../../src/accelerator/eie/machine.ts";
import { countVectors } from "../../../src/accelerator/infer/eie-vectors.ts";
import { costModelOf, machineNamed } from "../../../src/accelerator/infer/machines.ts";
import { modelCost } from "../../../src/accelerator/infer/model-cost.ts";
import { costNetwork } from "../../../src/accelerator/infer/network-cost.ts";
import { shapedLayers } from "../../../src/accelerator/infer/shapes.ts";
import { loadTensorFlow } from "../../../src/backends/load.ts";
import { findNetwork } from "../../../src/networks/index.ts";
import type { TensorFlow } from "../../../src/runtime/engine.ts";
import { run, settingsOf, sparseModel } from "./models.ts";

let tf: TensorFlow;

beforeAll(async () => {
  ({ tf } = await loadTensorFlow("cpu"));
});

describe("shapedLayers", () => {
  it.each([
    ["lenet5", {}],
    ["squeezenet", { imageSize: 32, width: 0.125, classes: 10 }],
    ["mobilenet", { imageSize: 32, width: 0.125, classes: 10 }],
    ["resnet", { imageSize: 32, width: 0.125, classes: 10, depth: 8 }],
  ])("gives %s the shapes that it runs with", async (name, options) => {
    const model = findNetwork(name).build(tf, options);
    const { layers, hostOps } = shapedLayers(model, 2, { activations: 1, weights: 1 });
    const ran = await run(tf, model, "eyeriss");
    const byName = (shapes: readonly { readonly name: string }[]) =>
      shapes.map(({ ...shape }) => shape).toSorted((a, b) => a.name.localeCompare(b.name));
    expect(hostOps).toEqual([]);
    // Where the bias is not fused into the kernel the record has none.
    const withoutBias = ({ shape }: (typeof layers)[number]) => ({ ...shape, bias: null });
    expect(byName(layers.map(withoutBias))).toEqual(byName(ran.layers.map(withoutBias)));
    model.dispose();
  });

  it("names layers whose products only a run shows", () => {
    const model = findNetwork("lstm").build(tf, { width: 4, sequenceLength: 3 });
    const { layers, hostOps } = shapedLayers(model, 1, { activations: 1, weights: null });
    expect(layers.map(({ shape }) => shape.name)).toEqual(["classes"]);
    expect(hostOps.map(({ kernel }) => kernel)).toEqual(["LSTM", "LSTM"]);
    expect(hostOps[0]?.reason).toContain("only from a run");
  });

  it("takes the densities of the weights from the model unless they are stated", () => {
    const model = sparseModel(tf);
    const densities = (weights: number | null) =>
      shapedLayers(model, 1, { activations: 0.5, weights }).layers.map((layer) => layer.densities);
    for (const { inputs, weights } of densities(null)) {
      expect(inputs).toBe(0.5);
      expect(weights).toBeGreaterThan(0.1);
      expect(weights).toBeLessThan(0.4);
    }
    expect(densities(0.1).every(({ weights }) => weights === 0.1)).toBe(true);
  });
});

describe("costNetwork", () => {
  it("adds the steps of a recurrent layer up, one row per matrix", async () => {
    const model = findNetwork("lstm").build(tf, { width: 8, sequenceLength: 5 });
    const ran = await run(tf, model, "eie", 1);
    const settings = settingsOf("eie");
    const { layers, totals } = costNetwork(ran, {
      model: costModelOf(machineNamed("eie"), settings),
      energy: settings.energy,
      batch: 1,
    });
    expect(layers.map(({ runs }) => runs)).toEqual([5, 5, 5, 5, 1]);
    expect(totals.macs).toBe(ran.layers.reduce((sum, layer) => sum + (layer.ran?.macs.total ?? 0), 0));
    for (const { cost, layer, runs, details } of layers) {
      expect(cost.macs).toBe(layer.ran?.macs.total);
      expect(details.kind === "eie" ? details.vectors : 0).toBe(runs);
    }
  });
});

describe("countVectors", () => {
  const shape = {
    name: "point",
    kind: "convolution",
    batch: 1,
    channels: 64,
    filters: 256,
    groups: 1,
    inputHeight: 30,
    inputWidth: 30,
    filterHeight: 1,
    filterWidth: 1,
    outputHeight: 30,
    outputWidth: 30,
    stride: 1,
    bias: false,
  } as const;
  const densities = { inputs: 0.5, weights: 1, outputs: 1 };

  it("simulates evenly spaced products of a layer with too many, and scales them up", () => {
    const inputs = Float32Array.from({ length: 900 * 64 }, (_, i) => ((i * 7919) % 2 === 0 ? 1 : 0));
    const operands = { inputs, weights: new Float32Array(64 * 256).fill(1), bias: null, fingerprint: 0 };
    const counted = countVectors({ shape, densities, ran: null, hasWeights: true, operands }, EIE, 1);
    expect(counted.vectors).toBe(900);
    expect(counted.simulatedVectors).toBeLessThan(900);
    // Half of the inputs of every product are there.
    expect(counted.counts.work).toBe((900 * 64 * 256) / 2);
  });

  it("draws a layer of the stated densities where nothing ran, the same for the same seed", () => {
    const layer = { shape, densities: { ...densities, weights: 0.25 }, ran: null, hasWeights: true, operands: null };
    const [a, b] = [countVectors(layer, EIE, 1), countVectors(layer, EIE, 1)];
    expect(a.counts).toEqual(b.counts);
    const share = a.counts.work / (900 * 64 * 256);
    expect(share).toBeGreaterThan(0.1);
    expect(share).toBeLessThan(0.15);
  });
});

describe("modelCost", () => {
  it("is the cost of the shapes, zeros of the model's weights counted", () => {
    const model = sparseModel(tf);
    for (const accelerator of ["eyeriss", "eie", "rs"]) {
      const settings = settingsOf(accelerator);
      const costModel = costModelOf(machineNamed(accelerator), settings);
      const layers = shapedLayers(model, 4, { activations: 0.5, weights: null });
      const expected = costNetwork(layers, { model: costModel, energy: settings.energy, batch: 4 });
      const found = modelCost(model, accelerator, { batch: 4, activationDensity: 0.5 });
      expect(found.totals).toEqual(expected.totals);
      expect(found.layers.length + found.host.length).toBeGreaterThan(3);
    }
  });

  it("names the accelerators there are", () => {
    expect(() => modelCost(sparseModel(tf), "eyeris")).toThrow(/eyeriss/);
  });
});
