/** Saved tf.layers models from disk: what loads is what was saved, and what is damaged says so. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadTensorFlow } from "../../src/backends/load.ts";
import { loadModelFile } from "../../src/networks/from-file.ts";
import { lenet5 } from "../../src/networks/lenet.ts";
import type { TensorFlow } from "../../src/runtime/engine.ts";
import { saveModel } from "../support/saved-model.ts";

const folder = mkdtempSync(join(tmpdir(), "vdnn-models-"));
let tf: TensorFlow;

beforeAll(async () => {
  ({ tf } = await loadTensorFlow("cpu"));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

function small() {
  return lenet5.build(tf, { width: 0.1, imageSize: 12 });
}

/** Saves a model under a name, changed. */
async function saved(name: string, change: (document: Record<string, unknown>) => void = () => undefined) {
  const file = await saveModel(small(), join(folder, name), { shards: 3 });
  const document = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  change(document);
  writeFileSync(file, JSON.stringify(document));
  return file;
}

describe("loadModelFile", () => {
  it("gives the model that was saved, bit for bit, from any number of shards", async () => {
    const model = small();
    for (const shards of [1, 4]) {
      const loaded = await loadModelFile(tf, await saveModel(model, join(folder, `same${shards}`), { shards }));
      expect(loaded.layers.map(({ name }) => name)).toEqual(model.layers.map(({ name }) => name));
      const [expected, got] = [model, loaded].map((each) => each.getWeights().map((weight) => weight.dataSync()));
      expect(got).toEqual(expected);
    }
  });

  it.each<[string, (document: Record<string, unknown>) => void, string]>([
    ["topology", (document) => delete document["modelTopology"], "has no modelTopology"],
    ["manifest", (document) => delete document["weightsManifest"], "has no weightsManifest"],
    ["null-group", (document) => (document["weightsManifest"] = [null]), "has no weightsManifest"],
    ["graph", (document) => (document["format"] = "graph-model"), "is a tf.GraphModel"],
    ["kind", (document) => (document["modelTopology"] = { class_name: "Model", config: {} }), "do not make a model"],
    [
      "shard",
      (document) => ((document["weightsManifest"] as { paths: string[] }[])[0] ?? { paths: [] }).paths.pop(),
      "bytes of weights",
    ],
    [
      "missing",
      (document) => ((document["weightsManifest"] as { paths: string[] }[])[0] ?? { paths: [] }).paths.push("x.bin"),
      "cannot be read",
    ],
  ])("refuses a file with a wrong %s", async (name, change, message) => {
    const file = await saved(name, change);
    await expect(loadModelFile(tf, file)).rejects.toMatchObject({
      code: "ERR_INVALID_MODEL",
      message: expect.stringContaining(message) as string,
    });
  });

  it("refuses a file that is not there, or no JSON", async () => {
    await expect(loadModelFile(tf, join(folder, "nowhere.json"))).rejects.toThrow("cannot be read");
    const file = join(folder, "text.json");
    writeFileSync(file, "{ not json");
    await expect(loadModelFile(tf, file)).rejects.toThrow("is not JSON");
  });

  it("refuses weights that are not finite, and names the weight", async () => {
    const model = small();
    const weights = model.getWeights();
    const values = weights[2]?.dataSync().map((value, i) => (i === 7 ? Number.NaN : value)) ?? [];
    weights[2] = tf.tensor(Float32Array.from(values), weights[2]?.shape);
    model.setWeights(weights);
    const file = await saveModel(model, join(folder, "nan"));
    await expect(loadModelFile(tf, file)).rejects.toThrow("weight conv2/kernel has NaN at element 7");
  });
});
