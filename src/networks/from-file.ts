/**
 * Saved tf.layers models from disk: `model.json` with its weight shards beside it, as TensorFlow.js writes them and its converter
 * does. Read here, as only the native package has a file handler.
 */
import { readFile } from "node:fs/promises";
import * as path from "node:path";
import type { io, LayersModel } from "@tensorflow/tfjs";
import { VdnnError } from "../errors.ts";
import type { TensorFlow } from "./network.ts";

type WeightSpec = io.WeightsManifestEntry;
interface WeightGroup {
  readonly paths: readonly string[];
  readonly weights: readonly WeightSpec[];
}

/** @throws VdnnError `ERR_INVALID_MODEL` that says which file or weight is at fault */
export async function loadModelFile(tf: TensorFlow, file: string): Promise<LayersModel> {
  const artifacts = await readArtifacts(file);
  let model: LayersModel;
  try {
    model = await tf.loadLayersModel(tf.io.fromMemory(artifacts));
  } catch (cause) {
    throw invalid(file, `its topology and weights do not make a model: ${messageOf(cause)}`, cause);
  }
  for (const weight of model.weights) {
    const values = await weight.read().data();
    const bad = values.findIndex((value) => !Number.isFinite(value));
    if (bad === -1) continue;
    model.dispose();
    throw invalid(
      file,
      `weight ${weight.originalName} has ${values[bad]} at element ${bad} of ${values.length}; expected finite weights: ` +
        "the model is damaged, or its training diverged",
    );
  }
  return model;
}

/** The document and the bytes of all shards. */
async function readArtifacts(file: string): Promise<io.ModelArtifacts> {
  const document = await readJson(file);
  const { format, modelTopology, weightsManifest } = document;
  if (format === "graph-model") throw invalid(file, "is a tf.GraphModel; expected a saved tf.layers model");
  if (typeof modelTopology !== "object" || modelTopology === null) {
    throw invalid(file, "has no modelTopology; expected the model.json of a saved tf.layers model");
  }
  const groups = checkManifest(file, weightsManifest);
  const parts: Buffer[] = [];
  for (const { paths, weights } of groups) {
    const shards = await Promise.all(paths.map((name) => readShard(file, name)));
    const bytes = shards.reduce((sum, { length }) => sum + length, 0);
    const expected = weights.reduce((sum, spec) => sum + bytesOf(spec), 0);
    if (bytes !== expected) {
      throw invalid(file, `expected ${expected} bytes of weights in ${paths.join(", ")}, got ${bytes}; save it again`);
    }
    parts.push(...shards);
  }
  return {
    modelTopology,
    weightSpecs: groups.flatMap(({ weights }) => weights),
    weightData: new Uint8Array(Buffer.concat(parts)).buffer,
  };
}

async function readJson(file: string): Promise<Readonly<Record<string, unknown>>> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    throw invalid(file, `cannot be read: ${messageOf(cause)}`, cause);
  }
  try {
    const document: unknown = JSON.parse(text);
    if (typeof document === "object" && document !== null) return document as Record<string, unknown>;
  } catch (cause) {
    throw invalid(file, `is not JSON: ${messageOf(cause)}`, cause);
  }
  throw invalid(file, "expected an object, the model.json of a saved tf.layers model");
}

async function readShard(file: string, name: string): Promise<Buffer> {
  const shard = path.join(path.dirname(file), name);
  try {
    return await readFile(shard);
  } catch (cause) {
    throw invalid(file, `its weights in ${shard} cannot be read: ${messageOf(cause)}`, cause);
  }
}

function checkManifest(file: string, manifest: unknown): readonly WeightGroup[] {
  const isText = (value: unknown): boolean => typeof value === "string";
  const isSpec = (spec: Partial<WeightSpec> | null): boolean =>
    isText(spec?.name) && isText(spec?.dtype) && Array.isArray(spec?.shape);
  const isGroup = (group: Partial<WeightGroup> | null): boolean =>
    Array.isArray(group?.paths) &&
    group.paths.every(isText) &&
    Array.isArray(group.weights) &&
    group.weights.every(isSpec);
  if (Array.isArray(manifest) && manifest.every(isGroup)) return manifest as WeightGroup[];
  throw invalid(file, "has no weightsManifest of groups with paths and weights; a topology alone cannot be run");
}

const DTYPE_BYTES: Readonly<Record<string, number>> = {
  float32: 4,
  int32: 4,
  float16: 2,
  uint16: 2,
  uint8: 1,
  bool: 1,
  complex64: 8,
};

function bytesOf({ shape, dtype, quantization }: WeightSpec): number {
  const size = shape.reduce((product, side) => product * side, 1);
  return size * (DTYPE_BYTES[quantization?.dtype ?? dtype] ?? Number.NaN);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function invalid(file: string, rule: string, cause?: unknown): VdnnError {
  return new VdnnError("ERR_INVALID_MODEL", `${file}: ${rule}`, { file }, cause === undefined ? {} : { cause });
}
