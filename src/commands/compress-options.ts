/** Flags of `vdnn compress`. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { BackendName } from "../backends/load.ts";
import { type Initialization, INITIALIZATIONS } from "../compression/sharing/initial.ts";
import { addSizeOptions, type SizeFlags } from "./depth-options.ts";
import { addSessionOptions, positiveNumber, REPORT_FLAG, type SessionFlags, wholeNumber } from "./options.ts";

export interface CompressFlags extends SessionFlags, SizeFlags {
  readonly output: string;
  /** Share of the weights that goes. */
  readonly prune?: number;
  readonly nearZero?: number;
  readonly quality?: number;
  /** Bits of a code. */
  readonly share?: number;
  readonly clusters?: number;
  readonly indexBits?: number;
  readonly initialization: Initialization;
  readonly huffman?: boolean;
  readonly sensitivity?: boolean;
  readonly fp16?: boolean;
  readonly int8?: boolean;
  readonly data?: string;
  readonly trainImages?: number;
  readonly testImages?: number;
  /** False with `--no-retrain`. */
  readonly retrain: boolean;
  readonly rounds?: number;
  readonly epochs?: number;
  readonly roundEpochs?: number;
  readonly retrainEpochs?: number;
  readonly tuneEpochs?: number;
  readonly learningRate?: number;
  readonly batch?: number;
  readonly depth?: number;
  readonly seed: number;
  readonly backend?: BackendName;
  readonly report?: string;
  readonly json?: boolean;
}

export const COMPRESS_EXAMPLES = `Examples:
  vdnn compress lenet300 --prune 0.94 --share 5 --huffman --output lenet300.vdnnz   trained here first, on drawn digits
  vdnn compress model.json --prune 0.9 --data mnist/ --output model.vdnnz           a saved model and a folder of IDX files
  vdnn compress model.json --quality 0.7 --device-memory 8MiB --output model.vdnnz  by threshold, trained in 8 MiB
  vdnn compress model.json --share 8 --no-retrain --output model.vdnnz              no data: weights are shared as they are
  vdnn infer --accelerator eie lenet300.vdnnz                                       what the result costs to run
`;

const BACKENDS = ["tensorflow", "wasm", "cpu"] as const;
const THRESHOLDS = ["prune", "nearZero", "quality"] as const;

export function addCompressOptions(command: Command): Command {
  command
    .argument("<model>", "a saved model's model.json, a compressed .vdnnz file, or a built-in network")
    .requiredOption("--output <file>", "the compressed model, .vdnnz")
    .addOption(pruning("--prune <share>", "share of the weights that go, by magnitude, such as 0.92", prunedShare))
    .addOption(pruning("--near-zero <threshold>", "weights up to this magnitude go; 0: those that are zero", threshold))
    .addOption(pruning("--quality <factor>", "weights up to so many standard deviations of their layer go", threshold))
    .option("--share <bits>", "bits of a shared weight's code (default: 8 in convolutions, 5 in dense layers)", bits)
    .option(
      "--clusters <n>",
      "shared weights per layer besides zero (default: as many as the bits hold)",
      wholeNumber(1),
    )
    .option("--index-bits <bits>", "bits of a gap between two weights (default: the fewest in all)", bits)
    .addOption(new Option("--initialization <name>", "of k-means").choices(INITIALIZATIONS).default("linear"))
    .option("--huffman", "Huffman-code the codes and gaps in the file")
    .option("--sensitivity", "print what each layer costs when it alone is pruned")
    .option("--fp16", "also measure the dense weights rounded to halves")
    .option("--int8", "also measure the dense kernels rounded to 8-bit integers")
    .option("--data <digits|folder>", "drawn digits, or a folder with MNIST's four IDX files (default: digits)")
    .option("--train-images <n>", "to train on (default: 12000 drawn digits, all of a folder)", wholeNumber(1))
    .option("--test-images <n>", "to measure on (default: 5000 drawn digits, all of a folder)", wholeNumber(1))
    .option("--no-retrain", "compress the weights as they are: no data, no training, no accuracies")
    .option("--epochs <n>", "before compression (default: 10 for a built-in network, else 0)", wholeNumber(0))
    .option("--rounds <n>", "rounds of pruning (default: 6)", wholeNumber(1))
    .option("--round-epochs <n>", "between two rounds (default: 1)", wholeNumber(0))
    .option("--retrain-epochs <n>", "after the last round (default: 8)", wholeNumber(0))
    .option("--tune-epochs <n>", "of the shared weights (default: 3)", wholeNumber(0))
    .option("--learning-rate <x>", "of Adam; falls to a tenth (default: 0.001)", positiveNumber)
    .option("--batch <n>", "images per step (default: 128)", wholeNumber(1))
    .option("--depth <n>", "a network's layers; which depths there are depends on the network", wholeNumber(1))
    .option("--seed <n>", "of weights, data, and the order of images", wholeNumber(0), 1)
    .addOption(new Option("--backend <name>", "default: the fastest that works").env("VDNN_BACKEND").choices(BACKENDS))
    .option(...REPORT_FLAG)
    .option("--json", "print one JSON document");
  return addSessionOptions(addSizeOptions(command));
}

/** Each says which weights go, so they exclude each other. */
function pruning(flags: string, description: string, parse: (text: string) => number): Option {
  const option = new Option(flags, description).argParser(parse);
  return option.conflicts(THRESHOLDS.filter((name) => name !== option.attributeName()));
}

function number(text: string): number {
  return text.trim() === "" ? Number.NaN : Number(text);
}

function prunedShare(text: string): number {
  const value = number(text);
  if (value > 0 && value < 1) return value;
  throw new InvalidArgumentError("Expected a share of the weights to prune, above 0 and below 1, such as 0.92.");
}

function threshold(text: string): number {
  const value = number(text);
  if (value >= 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("Expected a number that is not negative.");
}

function bits(text: string): number {
  const value = number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 8) return value;
  throw new InvalidArgumentError("Expected 1 to 8 bits.");
}
