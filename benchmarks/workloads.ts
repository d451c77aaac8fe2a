/** What the benchmarks train: the networks of benchmarks/peers/pytorch.py with the same shapes, batch sizes and optimizer. */
import { createHash } from "node:crypto";
import { findNetwork, type NetworkOptions, type TensorFlow } from "../src/networks/index.ts";
import { choices, integer, type OptionTable, UsageError } from "./options.ts";

export interface Workload {
  readonly network: string;
  readonly options: NetworkOptions;
  readonly batch: number;
}

export type WorkloadName = "chain" | "vgg" | "resnet" | "lstm";

const WORKLOADS: Readonly<Record<WorkloadName, Workload>> = {
  chain: { network: "chain", options: { depth: 100, width: 32, imageSize: 32, classes: 10 }, batch: 32 },
  vgg: { network: "vgg", options: { depth: 16, imageSize: 64, classes: 10 }, batch: 32 },
  resnet: { network: "resnet", options: { depth: 50, imageSize: 64, classes: 10 }, batch: 16 },
  lstm: { network: "lstm", options: { depth: 2, width: 256, sequenceLength: 64, classes: 10 }, batch: 64 },
};

export const WORKLOAD_OPTIONS = {
  nets: { default: "chain,vgg,resnet", help: "some of chain, vgg, resnet, lstm" },
  batch: { default: "", help: "another batch size, or one for each of the nets, such as 2,4" },
  depth: { default: "", help: "another depth of the chain" },
  "image-size": { default: "", help: "another image size" },
} satisfies OptionTable;

export function readWorkloads(options: Readonly<Record<keyof typeof WORKLOAD_OPTIONS, string>>): Workload[] {
  const names = choices(options.nets, "nets", Object.keys(WORKLOADS) as WorkloadName[]);
  const batches = options.batch.split(",");
  if (batches.length > 1 && batches.length !== names.length)
    throw new UsageError(
      `--batch: expected one size, or ${names.length} for --nets ${options.nets}, got ${options.batch}`,
    );
  return names.map((name, i) => workload(name, { ...options, batch: batches[i] ?? options.batch }));
}

export function workload(
  name: WorkloadName,
  overrides: Readonly<Partial<Record<"batch" | "depth" | "image-size", string>>>,
): Workload {
  const { network, options, batch } = WORKLOADS[name];
  const { batch: otherBatch = "", depth = "", "image-size": imageSize = "" } = overrides;
  return {
    network,
    options: {
      ...options,
      ...(depth === "" || name !== "chain" ? {} : { depth: integer(depth, "depth") }),
      ...(imageSize === "" || name === "lstm" ? {} : { imageSize: integer(imageSize, "image-size", 8) }),
    },
    batch: otherBatch === "" ? batch : integer(otherBatch, "batch"),
  };
}

/** Such as `chain-100, 32 px, batch 32`. */
export function describeWorkload({ network, options, batch }: Workload): string {
  const size = options.imageSize === undefined ? `${options.sequenceLength ?? ""} tokens` : `${options.imageSize} px`;
  return `${network}-${options.depth ?? ""}, ${size}, batch ${batch}`;
}

/** A model under training on one batch, over and over. */
export interface Training {
  /** Forward, backward, update, and reading the loss, which waits for all of them. */
  step(): Promise<number>;
  /** Of all weights, bit for bit. */
  weightsSha256(): Promise<string>;
  dispose(): void;
}

export function openTraining(tf: TensorFlow, { network, options, batch }: Workload): Training {
  const recipe = findNetwork(network);
  const model = recipe.build(tf, options);
  const optimizer = tf.train.sgd(0.01);
  model.compile({ optimizer, loss: recipe.loss });
  const { xs, ys } = recipe.batch(tf, model, batch);
  return {
    async step() {
      const [loss = Number.NaN] = [await model.trainOnBatch(xs, ys)].flat();
      return loss;
    },
    async weightsSha256() {
      const hash = createHash("sha256");
      for (const weight of model.getWeights()) {
        hash.update(new Uint8Array(Float32Array.from(await weight.data()).buffer));
      }
      return hash.digest("hex");
    },
    dispose() {
      model.dispose();
      optimizer.dispose();
      tf.dispose([xs, ys]);
    },
  };
}
