/** `vdnn infer` through the command line: tables, the JSON document, files of every kind, the chart, and bad input. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { SymbolicTensor } from "@tensorflow/tfjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadTensorFlow } from "../../src/backends/load.ts";
import { main } from "../../src/cli.ts";
import { compressLayer } from "../../src/compression/layer.ts";
import { writeCompressedModel } from "../../src/compression/file/file.ts";
import type { JsonObject } from "../../src/compression/model.ts";
import { randomLayer } from "../../src/accelerator/eie/random-layer.ts";
import { writeLayerDirectory } from "../../src/accelerator/eie/write-directory.ts";
import type { TensorFlow } from "../../src/runtime/engine.ts";
import { sparseModel } from "../accelerator/infer/models.ts";
import { saveModel } from "../support/saved-model.ts";
import { catchOutput } from "./stdio.ts";

const ALEX8 = resolve(import.meta.dirname, "../../../shared/data/eie-alex8");
const SQUEEZENET = ["squeezenet", "--image-size", "32", "--width", "0.25", "--classes", "10"];
const folder = mkdtempSync(join(tmpdir(), "vdnn-infer-"));
const output = catchOutput();
let tf: TensorFlow;
let modelFile: string;
let compressedFile: string;

interface Document {
  readonly schema: string;
  readonly computed: {
    readonly mode: string;
    readonly reference: string;
    readonly agreement: { readonly maxAbsDifference: number; readonly sameTop1: number; readonly samples: number };
    readonly outputs: readonly number[];
  } | null;
  readonly layers: readonly {
    readonly name: string;
    readonly cycles: number;
    readonly macs: number;
    readonly gatedMacs: number;
    readonly skippedMacs: number;
    readonly totalPj: number;
    readonly densities: { readonly inputs: number; readonly weights: number };
    readonly dramBytes: { readonly uncompressed: number; readonly compressed: number };
    readonly mapping?: { readonly m: number };
    readonly mappingOrigin?: string;
    readonly chipMw: number | null;
    readonly eie?: { readonly vectors: number };
  }[];
  readonly host: readonly { readonly kernel: string; readonly macs: number; readonly reason: string | null }[];
  readonly totals: {
    readonly framesPerSecond: number;
    readonly framesPerJoule: number;
    readonly totalMs: number;
    readonly macs: number;
    readonly totalPj: number;
  };
  readonly codeBits: Readonly<Record<string, number>>;
}

async function json(...args: string[]): Promise<Document> {
  expect(await main(["infer", ...args, "--json"])).toBe(0);
  expect(output.stderr).toBe("");
  return JSON.parse(output.stdout) as Document;
}

beforeAll(async () => {
  ({ tf } = await loadTensorFlow("cpu"));
  const model = sparseModel(tf);
  modelFile = await saveModel(model, join(folder, "sparse"), { shards: 2 });
  compressedFile = join(folder, "sparse.vdnnz");
  const weights = model.weights.map((weight) => {
    const { originalName: name, shape } = weight;
    return { name, shape: shape as number[], values: Float32Array.from(weight.read().dataSync()) };
  });
  const isKernel = ({ name }: { readonly name: string }): boolean => name.endsWith("kernel");
  await writeCompressedModel(compressedFile, {
    name: "sparse",
    layers: weights
      .filter(isKernel)
      .map(({ name, shape, values }) => compressLayer({ name, shape, weights: values }, { codeBits: 4 })),
    dense: weights.filter((weight) => !isKernel(weight)),
    topology: model.toJSON(null, false) as unknown as JsonObject,
    metadata: {},
  });
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe("vdnn infer on Eyeriss", () => {
  it("prints every layer with its mapping, the totals, the host's operations, and how far the outputs are from FP32", async () => {
    expect(await main(["infer", "--accelerator", "eyeriss", modelFile])).toBe(0);
    expect(output.stderr).toBe("");
    for (const layer of ["conv", "point", "fc1", "fc2", "total"]) {
      expect(output.stdout).toMatch(new RegExp(`^${layer} .*%`, "m"));
    }
    expect(output.stdout).toMatch(/^conv .* \d+(,\d+){6} searched /m);
    expect(output.stdout).toContain("frames/s");
    expect(output.stdout).toContain("on the host, operations: ");
    expect(output.stdout).toMatch(
      /against FP32 on the (wasm|cpu) backend: max abs difference .*, same top-1 in 1 of 1/,
    );
    expect(output.stdout).toMatch(/computed in int16 with gpu\.js in mode \w+/);
    expect(output.stdout).toContain("Costs are modelled, nothing is measured.");
  });

  it("prints one JSON document whose totals are the sums of its layers", async () => {
    const document = await json(modelFile, "--batch", "2");
    expect(document).toMatchObject({
      schema: "vdnn-infer/1",
      source: "simulated",
      origin: "file",
      accelerator: "eyeriss",
      batch: 2,
      precision: "int16",
      energy: { name: "eyeriss-normalized" },
    });
    const { layers, totals, computed } = document;
    const sum = (of: (layer: (typeof layers)[number]) => number): number =>
      layers.reduce((total, layer) => total + of(layer), 0);
    expect(totals.macs).toBe(sum(({ macs }) => macs));
    expect(totals.totalPj / sum(({ totalPj }) => totalPj)).toBeCloseTo(1, 12);
    expect(totals.framesPerSecond).toBeCloseTo(2000 / totals.totalMs, 6);
    expect(totals.framesPerJoule).toBeCloseTo(2e12 / totals.totalPj, 6);
    expect(computed?.outputs).toHaveLength(20);
    expect(computed?.agreement).toMatchObject({ sameTop1: 2, samples: 2 });
    for (const { chipMw, mapping, mappingOrigin } of layers) {
      expect(chipMw).toBeGreaterThan(180);
      expect(mapping?.m).toBeGreaterThan(0);
      expect(mappingOrigin).toBe("searched");
    }
  });

  it("moves fewer bytes with zeros in its maps, and computes closer to FP32 with more bits", async () => {
    const int16 = await json(modelFile);
    Object.assign(output, { stdout: "" });
    const int8 = await json(modelFile, "--precision", "int8");
    const { uncompressed = 0, compressed = 0 } = int16.layers[1]?.dramBytes ?? {};
    expect(compressed).toBeLessThan(uncompressed);
    const difference = ({ computed }: Document): number => computed?.agreement.maxAbsDifference ?? 0;
    expect(difference(int16)).toBeLessThan(difference(int8));
  });

  it("runs a narrow SqueezeNet, every layer of it", async () => {
    const { layers, host } = await json(...SQUEEZENET);
    expect(layers).toHaveLength(26);
    expect(host.every(({ reason }) => reason === null)).toBe(true);
  });

  it("uses the published or inferred mappings of measured layers, from shapes alone", async () => {
    const { layers, computed } = await json("vgg-16", "--batch", "3", "--no-compute", "--density", "0.5");
    expect(computed).toBeNull();
    expect(layers.filter(({ mappingOrigin }) => mappingOrigin === "inferred")).toHaveLength(13);
    expect(layers.map(({ name }) => name).slice(-3)).toEqual(["fc6", "fc7", "fc8"]);
    expect(layers.every(({ gatedMacs, macs }) => gatedMacs === macs / 2)).toBe(true);
  });

  it("says that it shows the first output of several", async () => {
    const input = tf.input({ shape: [5] });
    const outputs = [2, 3].map((units) => tf.layers.dense({ units }).apply(input) as SymbolicTensor);
    const file = await saveModel(tf.model({ inputs: input, outputs }), join(folder, "two"));
    expect(await main(["infer", file])).toBe(0);
    expect(output.stdout).toContain("outputs [1, 2], the first of 2, the largest of the first sample");
  });

  it("leaves filters that are larger than the array to the host", async () => {
    await main(["infer", modelFile, "--pes", "2x14"]);
    expect(output.stdout).toMatch(
      /on the host, 0\.0207 MMACs \(conv 0\.0207\): conv cannot run on eyeriss: its filter/,
    );
    expect(output.stdout).toContain("without those on the host");
  });

  it("writes a chart of energies", async () => {
    const svg = join(folder, "energy.svg");
    await json(modelFile, "--svg", svg);
    const text = readFileSync(svg, "utf8");
    expect(text).toMatch(/^<svg /);
    for (const name of ["conv", "point", "fc1", "fc2", "DRAM", "registers"]) expect(text).toContain(`>${name}</text>`);
  });

  it("takes its input from a .npy or an IDX file", async () => {
    const header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 12, 12, 2), }\n";
    const prefix = Buffer.from([0x93, ...Buffer.from("NUMPY"), 1, 0, header.length, 0]);
    const npy = join(folder, "input.npy");
    writeFileSync(npy, Buffer.concat([prefix, Buffer.from(header), Buffer.alloc(2 * 288 * 4)]));
    const { layers } = await json(modelFile, "--input", npy);
    // All black.
    expect(layers[0]).toMatchObject({ name: "conv", gatedMacs: layers[0]?.macs, densities: { inputs: 0 } });
    Object.assign(output, { stdout: "" });
    const idx = join(folder, "images-idx3-ubyte");
    writeFileSync(
      idx,
      Buffer.concat([Buffer.from([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28]), Buffer.alloc(784, 7)]),
    );
    expect((await json("lenet5", "--input", idx)).layers[0]?.densities.inputs).toBe(1);
    expect(await main(["infer", modelFile, "--input", idx])).toBe(1);
    expect(output.stderr).toContain("expected samples of [12, 12, 2] for sparse, got [28, 28]");
  });
});

describe("vdnn infer on EIE", () => {
  it("simulates matrices, and leaves convolutions to the host with their MACs", async () => {
    const { layers, host } = await json("--accelerator", "eie", modelFile);
    expect(layers.map(({ name, eie }) => [name, eie?.vectors])).toEqual([
      ["point", 144],
      ["fc1", 1],
      ["fc2", 1],
    ]);
    expect(host[0]).toMatchObject({ kernel: "FusedConv2D", macs: 144 * 18 * 8 });
    expect(host[0]?.reason).toContain("eie runs pointwise, fully-connected layers");
    for (const { skippedMacs, macs } of layers) expect(skippedMacs).toBeGreaterThan(macs / 2);
  });

  it("runs a compressed model with the same zeros, and says what its codes are", async () => {
    const plain = await json("--accelerator", "eie", modelFile);
    Object.assign(output, { stdout: "" });
    const compressed = await json("--accelerator", "eie", compressedFile);
    expect(Object.values(compressed.codeBits)).toEqual([4, 4, 4, 4]);
    for (const [i, { densities }] of compressed.layers.entries()) {
      expect(densities.weights).toBe(plain.layers[i]?.densities.weights);
    }
    Object.assign(output, { stdout: "" });
    await main(["infer", "--accelerator", "eie", compressedFile]);
    expect(output.stdout).toContain("weights: 4 of 4 tensors of the file have codes of at most 4 bits");
    Object.assign(output, { stdout: "" });
    await main(["infer", "--accelerator", "eie", modelFile]);
    expect(output.stdout).toContain("weights are not shared");
  });

  it("takes fewer cycles at a lower density, and more with a shorter queue", async () => {
    const cycles = async (...flags: string[]): Promise<number> => {
      Object.assign(output, { stdout: "" });
      const { layers } = await json("--accelerator", "eie", "lenet300", "--no-compute", ...flags);
      return layers.reduce((sum, layer) => sum + layer.cycles, 0);
    };
    const dense = await cycles();
    const sparse = await cycles("--density", "0.4", "--weight-density", "0.1");
    expect(sparse).toBeLessThan(dense / 5);
    expect(await cycles("--density", "0.4", "--weight-density", "0.1", "--fifo", "2")).toBeGreaterThan(sparse);
  });

  it("runs a stored layer: cycles, work, load balance, outputs", async () => {
    const { layer, activations } = randomLayer({
      name: "stored",
      inputs: 256,
      outputs: 128,
      weightDensity: 0.2,
      activationDensity: 0.5,
    });
    const directory = join(folder, "stored");
    await writeLayerDirectory(directory, layer, activations);
    expect(await main(["infer", "--accelerator", "eie", "--layer", directory])).toBe(0);
    for (const line of ["cycles", "work", "load balance", "outputs", "energy"]) {
      expect(output.stdout).toMatch(new RegExp(`^${line} +\\S`, "m"));
    }
    Object.assign(output, { stdout: "" });
    expect(await main(["infer", "--accelerator", "eie", "--layer", directory, "--fifo", "4", "--json"])).toBe(0);
    const report = JSON.parse(output.stdout) as { outputs: number[] };
    expect(report).toMatchObject({ schema: "vdnn-eie-layer/1", fifo: 4, inputs: 256 });
    expect(report.outputs).toHaveLength(128);
  });

  it.skipIf(!existsSync(ALEX8))(
    "takes 7926 cycles for AlexNet's FC8 with a queue of 8, and 10194 with 2, as the authors' simulator does",
    async () => {
      for (const [fifo, cycles] of [
        ["8", 7926],
        ["2", 10194],
      ] as const) {
        Object.assign(output, { stdout: "" });
        await main(["infer", "--accelerator", "eie", "--layer", ALEX8, "--fifo", fifo, "--json"]);
        expect(JSON.parse(output.stdout)).toMatchObject({ cycles, argmax: 708 });
      }
    },
  );
});

describe("vdnn infer on the machines to compare with", () => {
  it.each(["dense", "rs", "ws", "osa", "osb", "osc", "nlr"])(
    "counts the same MACs on %s, none of them gated",
    async (name) => {
      const { layers, totals } = await json("--accelerator", name, "lenet5", "--no-compute");
      expect(totals.macs).toBe(288_000 + 1_600_000 + 400_000 + 5_000);
      expect(layers.every(({ gatedMacs, skippedMacs }) => gatedMacs === 0 && skippedMacs === 0)).toBe(true);
      expect(totals.framesPerJoule).toBeGreaterThan(0);
    },
  );

  it("prints the arithmetic of a claim instead of the claim", async () => {
    expect(await main(["infer", "--claims"])).toBe(0);
    expect(output.stdout).toContain("not reached by any source");
    expect(output.stdout).toContain("18.7 ×");
  });
});

describe("bad input of vdnn infer", () => {
  it.each([
    [["lenet5", "--accelerator", "eyeris"], 'unknown accelerator "eyeris"; did you mean eyeriss'],
    [["lenet6"], 'unknown network "lenet6"; did you mean lenet5'],
    [[], "model: expected a model.json"],
    [["lenet5", "--precision", "fp13"], "precision: expected fp32, fp16, int16, int8, got fp13"],
    [["lenet5", "--accumulate", "int8"], "accumulate: expected fp32, fp16, int32, int16, got int8"],
    [["lenet5", "--precision", "fp16", "--accumulate", "int32"], "products of fp16 are summed in fp32 or fp16"],
    [["lenet5", "--accelerator", "ws", "--precision", "int8"], "expected int16 or fp16"],
    [["lenet5", "--batch", "0"], "Expected a whole number, 1 or more"],
    [["lenet5", "--batch", "1000000000"], "--batch: at most 342392 samples of lenet5"],
    [["lenet5", "--accelerator", "eie", "--pes", "1000000000"], "expected at most 4096 elements"],
    [["lenet5", "--pes", "big"], "Expected an array such as 12x14"],
    [["lenet5", "--pes", "168"], "eyeriss is an array of rows and columns"],
    [["lenet5", "--fifo", "8"], "only eie has activation queues"],
    [["lenet5", "--accelerator", "eie", "--fifo", "1"], "the layer would never finish"],
    [["lenet5", "--density", "0.5"], "--density: needs --no-compute"],
    [["lenet5", "--no-compute", "--density", "2"], "Expected a share from 0 to 1"],
    [["lenet5", "--no-compute", "--input", "x.npy"], "--input: with --no-compute nothing is computed"],
    [["lenet5", "--energy", "horowtz"], 'unknown energy "horowtz"; did you mean horowitz-45nm'],
    [["lenet5", "--energy", "nowhere.json"], "energy: expected a table's name or a JSON file"],
    [["lenet5", "--svg", "/nowhere/energy.svg"], "--svg: there is no directory /nowhere"],
    [["lenet5", "--svg", folder], "is a directory; name a file in it"],
    [["vgg-16", "--depth", "116"], "--depth: vgg-16 has 16 layers, but depth is 116"],
    [["model.json", "--width", "2"], "--width: model.json is a file, and has its sizes"],
    [["--layer", "x"], "--layer: a stored layer runs on eie"],
    [["lenet5", "--accelerator", "eie", "--layer", "x"], "--layer: runs one stored layer, not lenet5"],
    [["--accelerator", "eie", "--layer", "x", "--batch", "2"], "--batch: is of a model"],
    [["--accelerator", "eie", "--layer", "x", "--width", "2"], "--width: is of a model"],
    [["--accelerator", "eie", "--layer", "x", "--energy", "horowitz-45nm"], "--energy: is of a model"],
    [["--accelerator", "eie", "--layer", "x", "--no-compute"], "--no-compute: is of a model"],
    [["--claims", "--batch", "2"], "--batch: is of a model; leave it out, or --claims"],
    [["lenet5", "--claims"], "--claims: is not about lenet5"],
  ])("calls %j a usage error", async (args, message) => {
    expect(await main(["infer", ...args])).toBe(2);
    expect(output.stdout).toBe("");
    expect(output.stderr).toContain(message);
  });

  it("names the field of an energy table that is wrong", async () => {
    const file = join(folder, "energy.json");
    writeFileSync(
      file,
      JSON.stringify({ schema: "vdnn-accelerator-energy/1", name: "mine", source: "me", wordBits: -1 }),
    );
    expect(await main(["infer", "lenet5", "--energy", file])).toBe(2);
    expect(output.stderr).toContain("wordBits: expected a whole number of bits");
  });

  it.each([
    ["nowhere.json", "", "cannot be read"],
    ["text.json", "not json", "is not JSON"],
    ["graph.json", '{"format":"graph-model"}', "is a tf.GraphModel"],
    ["bad.vdnnz", "not compressed", "bad.vdnnz"],
  ])("ends with 1 for a model file %s that cannot be used", async (name, content, message) => {
    const file = join(folder, name);
    if (content !== "") writeFileSync(file, content);
    expect(await main(["infer", file])).toBe(1);
    expect(output.stdout).toBe("");
    expect(output.stderr).toContain(message);
  });

  it("ends with 1 for a path through a file", async () => {
    expect(await main(["infer", join(modelFile, "model.json")])).toBe(1);
    expect(output.stderr).toContain("cannot be read: ENOTDIR");
  });

  it("ends with 1 for weights that are not finite, and names the weight", async () => {
    const model = sparseModel(tf);
    const [kernel, ...others] = model.getWeights();
    model.setWeights([tf.fill(kernel?.shape ?? [], Number.NaN), ...others]);
    const file = await saveModel(model, join(folder, "nan"));
    expect(await main(["infer", file])).toBe(1);
    expect(output.stderr).toContain("weight conv/kernel has NaN at element 0");
  });

  it("ends with 1 for a model without a single product", async () => {
    const model = tf.sequential({ layers: [tf.layers.activation({ inputShape: [4], activation: "relu" })] });
    const file = await saveModel(model, join(folder, "empty"));
    expect(await main(["infer", file])).toBe(1);
    expect(output.stderr).toContain("nothing to cost");
  });
});
