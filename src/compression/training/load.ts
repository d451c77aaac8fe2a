/** A compressed model as a tf.layers model that predicts, or trains on, with the weights that were stored. */
import type { io, LayersModel } from "@tensorflow/tfjs";
import type { TensorFlow } from "../../networks/network.ts";
import { readCompressedModel } from "../file/file.ts";
import { decodeModel } from "../file/encode.ts";
import { invalidModel } from "../invalid.ts";
import { decodeLayer } from "../layer.ts";
import type { CompressedModel, DenseTensor } from "../model.ts";

/**
 * @param file a path, or the file's bytes
 * @throws VdnnError `ERR_INVALID_MODEL` for a file that is damaged, or holds no tf.layers topology
 */
export async function loadCompressed(tf: TensorFlow, file: string | Uint8Array): Promise<LayersModel> {
  const model = typeof file === "string" ? await readCompressedModel(file) : decodeModel(file);
  return layersModel(tf, model);
}

/** @throws VdnnError `ERR_INVALID_MODEL` where there is no topology, or it does not fit the weights */
export async function layersModel(tf: TensorFlow, compressed: CompressedModel): Promise<LayersModel> {
  const { name, topology } = compressed;
  if (topology === null) {
    throw invalidModel(name, "holds weights but no topology; a flat file can be decoded, but not loaded as a model");
  }
  const tensors = denseWeights(compressed);
  const artifacts: io.ModelArtifacts = {
    modelTopology: topology,
    weightSpecs: tensors.map((tensor) => ({ name: tensor.name, shape: [...tensor.shape], dtype: "float32" })),
    weightData: joined(tensors.map(({ values }) => values)),
  };
  try {
    return await tf.loadLayersModel(tf.io.fromMemory(artifacts));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw invalidModel(name, `its topology and weights do not make a model: ${reason}`, cause);
  }
}

/** Every weight of the model, decoded. */
export function denseWeights({ layers, dense }: CompressedModel): DenseTensor[] {
  const decoded = layers.map((layer) => ({ name: layer.name, shape: layer.shape, values: decodeLayer(layer) }));
  return [...decoded, ...dense];
}

function joined(arrays: readonly Float32Array[]): ArrayBuffer {
  const all = new Float32Array(arrays.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const array of arrays) {
    all.set(array, at);
    at += array.length;
  }
  return all.buffer;
}
