/** What `vdnn infer` runs: a saved model, a compressed one, or a built-in network; and an input for it. */
import { existsSync, statSync } from "node:fs";
import * as path from "node:path";
import type { LayersModel, Tensor } from "@tensorflow/tfjs";
import { readCompressedModel } from "../compression/file/file.ts";
import { layersModel } from "../compression/training/load.ts";
import { VdnnError } from "../errors.ts";
import { loadModelFile } from "../networks/from-file.ts";
import { generatedInputs } from "../networks/inputs.ts";
import type { NetworkOptions, TensorFlow } from "../networks/network.ts";
import { networkNamed } from "../simulator/networks.ts";
import { withoutWeights } from "../simulator/shape-only.ts";
import type { InferFlags } from "./infer-options.ts";

export interface Subject {
  readonly name: string;
  readonly origin: "network" | "file" | "compressed";
  readonly model: LayersModel;
  /** Bits of a code, by weight tensor, of a compressed model. */
  readonly codeBits: Readonly<Record<string, number>>;
  /** `[batch, …]` each; the caller disposes of them. */
  readonly inputs: (batch: number) => Tensor[];
}

/** What `SizeFlags` and the depth are called. */
export const SIZES = ["depth", "width", "imageSize", "sequenceLength", "vocabulary", "classes"] as const;

export function isFile(model: string): boolean {
  return /\.(json|vdnnz)$|[/\\]/i.test(model) || statSync(model, { throwIfNoEntry: false }) !== undefined;
}

/** What a compressed model's file is known by. */
export function isCompressed(file: string): boolean {
  return /\.vdnnz$/i.test(file);
}

/** A saved model; of a folder its model.json. @throws VdnnError `ERR_INVALID_MODEL` */
export function loadSaved(tf: TensorFlow, file: string): Promise<LayersModel> {
  const isFolder = existsSync(file) && statSync(file).isDirectory();
  return loadModelFile(tf, isFolder ? path.join(file, "model.json") : file);
}

/** Names and flags, before TensorFlow.js is loaded. @throws VdnnError `ERR_INVALID_OPTION` */
export function checkSubject(model: string, flags: InferFlags): void {
  if (!isFile(model)) {
    const { depth } = networkNamed(model);
    if (depth === undefined || flags.depth === undefined || flags.depth === depth) return;
    throw usage("depth", `${model} has ${depth} layers, but depth is ${flags.depth}`);
  }
  const size = SIZES.find((name) => flags[name] !== undefined);
  if (size !== undefined) throw usage(size, `${model} is a file, and has its sizes`);
}

/** @throws VdnnError `ERR_INVALID_MODEL` for a file that cannot be used */
export async function subjectOf(tf: TensorFlow, name: string, flags: InferFlags): Promise<Subject> {
  if (!isFile(name)) return networkSubject(tf, name, flags);
  const inputs = (model: LayersModel) => (batch: number) => generatedInputs(tf, model, batch, flags.seed);
  if (isCompressed(name)) {
    const compressed = await readCompressedModel(name);
    const model = await layersModel(tf, compressed);
    const codeBits = Object.fromEntries(compressed.layers.map((layer) => [layer.name, layer.codeBits]));
    return { name, origin: "compressed", model, codeBits, inputs: inputs(model) };
  }
  const model = await loadSaved(tf, name);
  return { name, origin: "file", model, codeBits: {}, inputs: inputs(model) };
}

function networkSubject(tf: TensorFlow, name: string, flags: InferFlags): Subject {
  const { network, depth } = networkNamed(name);
  const given = Object.fromEntries(SIZES.map((size) => [size, flags[size]]));
  const options: NetworkOptions = { ...given, ...(depth === undefined ? {} : { depth }), seed: flags.seed };
  const build = (): LayersModel => network.build(tf, options);
  const model = flags.compute ? build() : withoutWeights(tf, build);
  return {
    name,
    origin: "network",
    model,
    codeBits: {},
    inputs(batch) {
      const { xs, ys } = network.batch(tf, model, batch, flags.seed);
      ys.dispose();
      return [xs];
    },
  };
}

/** 1 GiB of FP32; WebAssembly has 4 for everything. */
const MOST_INPUT_VALUES = 2 ** 28;

/** @throws VdnnError `ERR_INVALID_OPTION` for more samples than there is memory for */
export function checkBatch(model: LayersModel, batch: number): void {
  for (const { shape } of model.inputs) {
    const size = shape.slice(1).reduce<number>((product, side) => product * (side ?? 1), 1);
    if (size * batch <= MOST_INPUT_VALUES) continue;
    const most = Math.floor(MOST_INPUT_VALUES / size);
    throw usage("batch", `at most ${most} samples of ${model.name} are computed at once, got ${batch}; lower it`);
  }
}

/** @param option in camel case, as flags are kept */
export function usage(option: string, text: string): VdnnError {
  const flag = option.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return new VdnnError("ERR_INVALID_OPTION", `--${flag}: ${text}`, { option: flag });
}
