/** `vdnn compress`: files that load back, tables and documents, interrupts, and bad input that writes nothing. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadTensorFlow } from "../../src/backends/load.ts";
import { main } from "../../src/cli.ts";
import { readCompressedModel } from "../../src/compression/file/file.ts";
import type { CompressionResult } from "../../src/compression/training/compress.ts";
import type { QuantizedResult } from "../../src/compression/training/quantized.ts";
import { denseWeights, loadCompressed } from "../../src/compression/training/load.ts";
import type { Sensitivities } from "../../src/compression/training/sensitivity.ts";
import type { ModelSize } from "../../src/compression/size/account.ts";
import { drawnDigits } from "../../src/data/digits.ts";
import { findNetwork } from "../../src/networks/index.ts";
import type { TensorFlow } from "../../src/runtime/engine.ts";
import { catchOutput } from "./stdio.ts";

const folder = mkdtempSync(join(tmpdir(), "vdnn-compress-"));
const output = catchOutput();
const at = (name: string): string => join(folder, name);
let tf: TensorFlow;

const MODEL = ["compress", "lenet300", "--width", "0.1", "--image-size", "10", "--backend", "wasm"];
const SMALL = [...MODEL, "--train-images", "320", "--test-images", "100", "--batch", "64", "--learning-rate", "0.003"];
const QUICK = [...SMALL, "--epochs", "2", "--rounds", "2", "--retrain-epochs", "1", "--tune-epochs", "1"];

interface Document {
  readonly schema: string;
  readonly source: string;
  readonly training: {
    readonly images: { readonly title: string; readonly train: number; readonly test: number };
    readonly epochs: number;
    readonly accuracy: CompressionResult["accuracy"];
    readonly quantized: readonly QuantizedResult[];
    readonly sensitivities: Sensitivities | null;
    readonly session: { readonly policy: string; readonly deviceMemoryBytes: number; readonly peakDeviceBytes: number };
  } | null;
  readonly kept: Readonly<Record<string, number>>;
  readonly size: ModelSize;
  readonly denseBytes: number;
  readonly file: { readonly path: string; readonly bytes: number; readonly huffman: boolean; readonly ratio: number };
}

async function run(...flags: string[]): Promise<Document> {
  output.stdout = "";
  expect([await main([...flags, "--json"]), output.stderr]).toEqual([0, ""]);
  return JSON.parse(output.stdout) as Document;
}

/** A saved model of `lenet300`'s shape, its first weight replaced where given. */
async function save(name: string, first?: number): Promise<string> {
  const model = findNetwork("lenet300").build(tf, { width: 0.1, imageSize: 10 });
  mkdirSync(at(name));
  await model.save(
    tf.io.withSaveHandler((artifacts) => {
      const weights = Buffer.from(new Uint8Array(artifacts.weightData as ArrayBuffer));
      if (first !== undefined) weights.writeFloatLE(first);
      writeFileSync(at(`${name}/weights.bin`), weights);
      const { modelTopology, weightSpecs } = artifacts;
      const weightsManifest = [{ paths: ["weights.bin"], weights: weightSpecs }];
      writeFileSync(
        at(`${name}/model.json`),
        JSON.stringify({ format: "layers-model", modelTopology, weightsManifest }),
      );
      return Promise.resolve({ modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: "JSON" as const } });
    }),
  );
  model.dispose();
  return at(`${name}/model.json`);
}

/** Of unsigned bytes. */
function idx(shape: readonly number[], values: Uint8Array): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.set([0, 0, 8, shape.length]);
  for (const [i, side] of shape.entries()) header.writeUInt32BE(side, 4 + 4 * i);
  return Buffer.concat([header, values]);
}

beforeAll(async () => {
  ({ tf } = await loadTensorFlow("wasm"));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe("vdnn compress", () => {
  it("prunes a network to the share, under a budget, and writes a file that loads back to the accuracy it says", async () => {
    const file = at("small.vdnnz");
    const flags = ["--prune", "0.8", "--share", "4", "--huffman", "--device-memory", "1MiB", "--fp16", "--int8"];
    const { schema, source, training, kept, size, denseBytes, ...rest } = await run(
      ...QUICK,
      ...flags,
      "--output",
      file,
    );
    expect({ schema, source }).toEqual({ schema: "vdnn-compress/1", source: "measured" });
    expect(size.kept).toBe(680);
    expect(size.layers.map(({ weightBits }) => weightBits)).toEqual([4, 4, 4]);
    expect(Object.keys(kept)).toEqual(["ip1", "ip2", "ip3"]);
    expect(rest.file).toEqual({
      path: file,
      bytes: readFileSync(file).length,
      huffman: true,
      ratio: denseBytes / rest.file.bytes,
    });
    expect(training?.images).toEqual({ title: "drawn digits", train: 320, test: 100 });
    expect(training?.quantized.map(({ precision }) => precision)).toEqual(["fp16", "int8"]);
    expect(training?.session).toMatchObject({ policy: "auto", deviceMemoryBytes: 1024 * 1024 });
    expect(training?.session.peakDeviceBytes).toBeLessThanOrEqual(1024 * 1024);
    expect(training?.accuracy.loaded).toBe(training?.accuracy.fineTuned);
    const model = await loadCompressed(tf, file);
    expect(model.countParams()).toBe(3450);
    model.dispose();
  });

  it("prints the stages, the layers as the paper does, and the sensitivities", async () => {
    const flags = ["--prune", "0.8", "--share", "5", "--sensitivity", "--output", at("table.vdnnz")];
    expect(await main([...QUICK, ...flags])).toBe(0);
    expect(output.stderr).toBe("");
    for (const stage of ["dense", "pruned to 20.0%", "retrained", "weights shared", "shared weights trained"]) {
      expect(output.stdout).toMatch(new RegExp(`^${stage} +[\\d.]+%`, "m"));
    }
    expect(output.stdout).toMatch(/^layer +weights +kept +bits P\+Q +\+H +index P\+Q +\+H +rate P\+Q +\+H$/m);
    expect(output.stdout).toMatch(/^ip1 +3000 +[\d.]+% +5 /m);
    expect(output.stdout).toMatch(/^total +3400 +20\.0% /m);
    expect(output.stdout).toMatch(/^pruned alone to +50% +30% +20% /m);
    expect(output.stdout).toContain("which the file is not (--huffman)");
  });

  it("only shares without --prune, and prunes by threshold in its place", async () => {
    const shared = await run(...QUICK, "--output", at("shared.vdnnz"));
    expect(shared.size.kept).toBe(3400);
    expect(shared.size.layers.map(({ weightBits }) => weightBits)).toEqual([5, 5, 5]);
    expect(shared.training?.accuracy.retrained).toBe(shared.training?.accuracy.dense);
    const [low, high] = [
      await run(...QUICK, "--quality", "0.3", "--output", at("low.vdnnz")),
      await run(...QUICK, "--quality", "0.9", "--output", at("high.vdnnz")),
    ];
    expect(low.size.kept).toBeLessThan(3400);
    expect(high.size.kept).toBeLessThan(low.size.kept);
    const near = await run(...QUICK, "--near-zero", "0.02", "--sensitivity", "--output", at("near.vdnnz"));
    expect(near.size.kept).toBeLessThan(3400);
    expect(near.training?.sensitivities?.layers).toHaveLength(3);
  });

  it("trains a saved model further on a folder of IDX files, as many images as asked for", async () => {
    const model = await save("further");
    const { train, test } = drawnDigits({ trainCount: 200, testCount: 90, imageSize: 10 });
    mkdirSync(at("digits"));
    for (const [part, { count, height, width, pixels, labels }] of [
      ["train", train] as const,
      ["t10k", test] as const,
    ]) {
      writeFileSync(at(`digits/${part}-images-idx3-ubyte`), idx([count, height, width], pixels));
      writeFileSync(at(`digits/${part}-labels-idx1-ubyte`), idx([count], labels));
    }
    const flags = [
      "--data",
      at("digits"),
      "--test-images",
      "50",
      "--prune",
      "0.5",
      "--backend",
      "wasm",
      "--rounds",
      "1",
    ];
    const { training } = await run("compress", model, ...flags, "--output", at("further.vdnnz"));
    expect(training?.images).toEqual({ title: at("digits"), train: 200, test: 50 });
    expect(training?.epochs).toBe(0);
    expect(training?.accuracy.retrained).toBeGreaterThan(training?.accuracy.dense ?? 1);
  });

  it("compresses a saved model as it is without images, and its own files again to the same weights", async () => {
    const model = await save("saved");
    const flags = ["--no-retrain", "--prune", "0.5", "--share", "6", "--huffman", "--backend", "wasm"];
    const first = await run("compress", model, ...flags, "--output", at("plain.vdnnz"));
    expect(first.training).toBeNull();
    expect(Object.values(first.kept)).toEqual([0.5, 0.5, 0.5]);
    await run("compress", at("plain.vdnnz"), ...flags, "--output", at("again.vdnnz"));
    const [plain, again] = await Promise.all(
      ["plain.vdnnz", "again.vdnnz"].map((name) => readCompressedModel(at(name))),
    );
    // Clusters that are empty go, so codes may have other numbers.
    expect(again && denseWeights(again)).toEqual(plain && denseWeights(plain));
    expect(await main(["compress", model, ...flags, "--output", at("text.vdnnz")])).toBe(0);
    expect(output.stdout).toContain("compressed as it is, nothing trained or measured");
  });
});

describe("bad input is refused before anything is trained, and nothing is written", () => {
  const OUTPUT = ["--output", at("none.vdnnz")];

  async function refused(code: number, message: RegExp, flags: readonly string[]): Promise<void> {
    Object.assign(output, { stdout: "", stderr: "" });
    const before = readdirSync(folder);
    expect([await main(flags), output.stdout]).toEqual([code, ""]);
    expect(output.stderr).toMatch(message);
    expect(readdirSync(folder)).toEqual(before);
  }

  it.each<[string, readonly string[], RegExp]>([
    [
      "a share of everything",
      ["--prune", "1", ...OUTPUT],
      /Expected a share of the weights to prune, above 0 and below 1/,
    ],
    ["a share below zero", ["--prune", "-0.5", ...OUTPUT], /Expected a share/],
    ["two rules", ["--prune", "0.5", "--quality", "1", ...OUTPUT], /cannot be used with option/],
    ["nine bits", ["--share", "9", ...OUTPUT], /Expected 1 to 8 bits/],
    ["too few bits", ["--share", "3", "--clusters", "8", ...OUTPUT], /3 bits hold 7 centroids .* 8 are asked for/],
    ["no output", [], /required option '--output <file>' not specified/],
    [
      "an output in no directory",
      ["--output", at("no/where.vdnnz")],
      /--output: there is no directory .*no; create it first/,
    ],
    ["an output of another kind", ["--output", at("model.json")], /--output: .*model.json does not end in .vdnnz/],
    ["an output that is a directory", ["--output", folder], /--output: .* is a directory/],
    [
      "images without training",
      ["--no-retrain", "--epochs", "3", ...OUTPUT],
      /--epochs: needs images, which --no-retrain/,
    ],
    ["an unknown start", ["--initialization", "kmeans", ...OUTPUT], /Allowed choices are linear, density, random/],
  ])("%s", async (_, flags, message) => {
    await refused(2, message, [...MODEL, ...flags]);
  });

  it("a network whose input the images do not fit, with the way out", async () => {
    const flags = [
      "compress",
      "chain",
      "--depth",
      "4",
      "--width",
      "4",
      "--image-size",
      "8",
      "--backend",
      "wasm",
      ...OUTPUT,
    ];
    await refused(2, /--data: chain cannot be trained on these images: the model takes 8x8x3.*or --no-retrain/, flags);
  });

  it("a network that is not there, and sizes for a file", async () => {
    await refused(2, /unknown network "lenet30".*lenet300/, ["compress", "lenet30", ...OUTPUT]);
    await refused(2, /--width: .* is a file, and has its sizes/, ["compress", "model.json", "--width", "2", ...OUTPUT]);
  });

  it("a model file that is missing, no JSON, or has weights that are not finite", async () => {
    const flags = ["--no-retrain", "--backend", "wasm", ...OUTPUT];
    await refused(1, /none\.json: cannot be read/, ["compress", at("none.json"), ...flags]);
    writeFileSync(at("text.json"), "weights");
    await refused(1, /text\.json: is not JSON/, ["compress", at("text.json"), ...flags]);
    const model = await save("nan", Number.NaN);
    await refused(1, /ip1\/kernel has NaN at element 0 .*finite weights/, ["compress", model, ...flags]);
  });

  it("a compressed file that is cut off or damaged", async () => {
    await run(...MODEL, "--no-retrain", "--output", at("whole.vdnnz"));
    const whole = readFileSync(at("whole.vdnnz"));
    const flags = ["--no-retrain", "--backend", "wasm", ...OUTPUT];
    writeFileSync(at("cut.vdnnz"), whole.subarray(0, whole.length - 9));
    await refused(1, /cut\.vdnnz: is cut off: expected at least/, ["compress", at("cut.vdnnz"), ...flags]);
    whole[whole.length >> 1]! ^= 1;
    writeFileSync(at("bad.vdnnz"), whole);
    await refused(1, /bad\.vdnnz: is damaged/, ["compress", at("bad.vdnnz"), ...flags]);
  });

  it("a folder of IDX files that is not there, or not whole", async () => {
    await refused(1, /train-images-idx3-ubyte: cannot be read/, [...MODEL, "--data", at("idx"), ...OUTPUT]);
  });

  it("a budget that training does not fit", async () => {
    await refused(3, /only .* fit|needs|budget/i, [...QUICK, "--device-memory", "40KiB", ...OUTPUT]);
  });
});

const onPosix = process.platform === "win32" ? it.skip : it;

onPosix("an interrupt ends it with exit code 130 and writes nothing", async () => {
  const root = resolve(import.meta.dirname, "../..");
  const file = at("interrupted.vdnnz");
  const flags = [...SMALL, "--epochs", "100000", "--log-level", "debug", "--output", file];
  const child = spawn(process.execPath, ["--import", "tsx", "src/main.ts", ...flags], { cwd: root, stdio: "pipe" });
  const ended = once(child, "close");
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (text: Buffer) => (stdout += text.toString()));
  child.stderr.on("data", (text: Buffer) => {
    // The log's first lines are of the first training steps.
    if (stderr === "") child.kill("SIGINT");
    stderr += text.toString();
  });
  const [code] = (await ended) as [number];
  expect([code, stdout]).toEqual([130, ""]);
  expect(stderr).toContain(`vdnn: interrupted; ${file} was not written\n`);
  expect(existsSync(file)).toBe(false);
});
