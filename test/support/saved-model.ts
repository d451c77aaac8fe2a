/** Saves tf.layers models as TensorFlow.js's file handler does: `model.json`, and weight shards beside it. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { io, LayersModel } from "@tensorflow/tfjs";

/** @returns the path of `model.json` */
export async function saveModel(
  model: LayersModel,
  folder: string,
  { shards = 1 }: { readonly shards?: number } = {},
): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "model.json");
  await model.save({
    async save({ modelTopology, weightSpecs, weightData }: io.ModelArtifacts) {
      const bytes = Buffer.from(weightData as ArrayBuffer);
      const size = Math.ceil(bytes.length / shards);
      const paths = Array.from({ length: shards }, (_, i) => `group1-shard${i + 1}of${shards}.bin`);
      for (const [i, path] of paths.entries())
        writeFileSync(join(folder, path), bytes.subarray(i * size, (i + 1) * size));
      const weightsManifest = [{ paths, weights: weightSpecs }];
      writeFileSync(file, JSON.stringify({ format: "layers-model", modelTopology, weightsManifest }));
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: "JSON" } };
    },
  });
  return file;
}
