/** What `vdnn compress` works on: a saved model, a compressed one, or a built-in network; and the images it is trained on. */
import type { LayersModel } from "@tensorflow/tfjs";
import { type Classifier, checkClassifier } from "../compression/training/classifier.ts";
import { loadCompressed } from "../compression/training/load.ts";
import { drawnDigits } from "../data/digits.ts";
import { readMnist } from "../data/idx.ts";
import { type DataSplit, slice } from "../data/images.ts";
import { hasCode } from "../errors.ts";
import type { TensorFlow } from "../networks/network.ts";
import { networkNamed } from "../simulator/networks.ts";
import type { CompressFlags } from "./compress-options.ts";
import { isCompressed, isFile, loadSaved, SIZES, usage } from "./infer-source.ts";

export type Origin = "network" | "file" | "compressed";

/** Names and flags, before TensorFlow.js is loaded. @throws VdnnError `ERR_INVALID_OPTION` */
export function originOf(model: string, flags: CompressFlags): Origin {
  if (!isFile(model)) {
    networkNamed(model);
    return "network";
  }
  const size = SIZES.find((name) => flags[name] !== undefined);
  if (size !== undefined) throw usage(size, `${model} is a file, and has its sizes`);
  return isCompressed(model) ? "compressed" : "file";
}

/** @throws VdnnError `ERR_INVALID_MODEL` for a file that cannot be used */
export async function loadSubject(
  tf: TensorFlow,
  name: string,
  origin: Origin,
  flags: CompressFlags,
): Promise<LayersModel> {
  switch (origin) {
    case "network": {
      const { network, depth } = networkNamed(name);
      const given = Object.fromEntries(SIZES.map((size) => [size, flags[size]]));
      return network.build(tf, { ...given, ...(depth === undefined ? {} : { depth }), seed: flags.seed });
    }
    case "compressed":
      return loadCompressed(tf, name);
    case "file":
      return loadSaved(tf, name);
    default:
      return origin satisfies never;
  }
}

export interface Images {
  /** "drawn digits", or the folder. */
  readonly title: string;
  readonly data: DataSplit;
}

const DIGITS = "digits";
const DEFAULT_IMAGE_SIZE = 28;

/** Digits are drawn in the size that the model takes. @throws VdnnError `ERR_INVALID_DATA` for a folder that cannot be used */
export async function imagesFor(model: LayersModel, flags: CompressFlags): Promise<Images> {
  const { data: source = DIGITS, trainImages, testImages, seed } = flags;
  if (source === DIGITS) {
    const [, height, width] = model.inputs[0]?.shape ?? [];
    const imageSize = typeof height === "number" && height === width ? height : DEFAULT_IMAGE_SIZE;
    const counts = {
      ...(trainImages === undefined ? {} : { trainCount: trainImages }),
      ...(testImages === undefined ? {} : { testCount: testImages }),
    };
    return { title: "drawn digits", data: drawnDigits({ ...counts, imageSize, seed }) };
  }
  const { train, test } = await readMnist(source);
  return {
    title: source,
    data: { train: slice(train, 0, trainImages ?? train.count), test: slice(test, 0, testImages ?? test.count) },
  };
}

/** @throws VdnnError `ERR_INVALID_OPTION` that says which images the model needs, and what to do without them */
export function requireFit(classifier: Classifier, name: string): void {
  try {
    checkClassifier(classifier);
  } catch (error) {
    if (!hasCode(error, "ERR_INVALID_OPTION") || error.details["option"] !== "data") throw error;
    throw usage(
      "data",
      `${name} cannot be trained on these images: ${error.message.replace(/^data: /, "")}; give a folder of IDX files that fit, ` +
        "or --no-retrain to compress the weights as they are",
    );
  }
}
