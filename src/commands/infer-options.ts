/** Flags of `vdnn infer`. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { DEFAULT_ENERGY } from "../accelerator/energy-data.ts";
import type { Pes } from "../accelerator/infer/machines.ts";
import { addSizeOptions, type SizeFlags } from "./depth-options.ts";
import { REPORT_FLAG, wholeNumber } from "./options.ts";

export interface InferFlags extends SizeFlags {
  readonly accelerator: string;
  readonly batch?: number;
  readonly precision?: string;
  readonly accumulate?: string;
  readonly energy: string;
  readonly pes?: Pes;
  readonly fifo?: number;
  readonly depth?: number;
  readonly seed: number;
  readonly input?: string;
  /** False with `--no-compute`. */
  readonly compute: boolean;
  readonly density?: number;
  readonly weightDensity?: number;
  readonly layer?: string;
  readonly claims?: boolean;
  readonly svg?: string;
  readonly report?: string;
  readonly json?: boolean;
}

export const INFER_EXAMPLES = `Examples:
  vdnn infer --accelerator eyeriss model.json --svg energy.svg     a saved tf.layers model, computed and costed layer by layer
  vdnn infer --accelerator eie pruned.vdnnz --batch 8 --json       a compressed model on EIE
  vdnn infer --accelerator eyeriss squeezenet --image-size 64 --precision int8
  vdnn infer --accelerator eyeriss vgg-16 --batch 3 --no-compute   from shapes alone
  vdnn infer --accelerator ws alexnet --no-compute                 another dataflow: rs, ws, osa, osb, osc, nlr
  vdnn infer --accelerator eie --layer eie-alex8 --fifo 8          one stored EIE layer, cycle by cycle
`;

export function addInferOptions(command: Command): Command {
  command
    .argument("[model]", "a saved model's model.json, a compressed .vdnnz file, or a built-in network")
    .option("--accelerator <name>", "eyeriss, eie, ideal-dense, or a dataflow: rs, ws, osa, osb, osc, nlr", "eyeriss")
    .option("--batch <n>", "maps per inference (default: 1)", wholeNumber(1))
    .option("--precision <format>", "fp32, fp16, int16 or int8 (default: the chip's, int16)")
    .option("--accumulate <format>", "of sums: fp32, fp16, int32 or int16 (default: int32 for integers, else fp32)")
    .option("--energy <name|file>", "energy per access and operation (vdnn-accelerator-energy/1)", DEFAULT_ENERGY)
    .option("--pes <size>", "array such as 12x14; of eie a number such as 64", pes)
    .option("--fifo <n>", "eie: registers of the activation queues (default: 8)", wholeNumber(1))
    .option("--depth <n>", "a network's layers; which depths there are depends on the network", wholeNumber(1))
    .option("--seed <n>", "of a network's weights and of generated inputs", wholeNumber(0), 1)
    .option(
      "--input <file>",
      "samples to run: images in IDX format (MNIST's), or a .npy array; default: generated ones",
    )
    .option("--no-compute", "cost the shapes alone, for networks too large to run here")
    .option("--density <x>", "with --no-compute: share of activations that are not zero (default: 1)", share)
    .option(
      "--weight-density <x>",
      "with --no-compute: share of weights that are not zero (default: as in the file, else 1)",
      share,
    )
    .addOption(new Option("--layer <dir>", "eie: run a layer stored in the layout of the authors' simulator"))
    .option("--claims", 'print the arithmetic behind "up to 25 times against a Jetson TK1"')
    .option("--svg <file>", "write a chart of energy per layer")
    .option(...REPORT_FLAG)
    .option("--json", "print one JSON document");
  return addSizeOptions(command);
}

function pes(text: string): Pes {
  const match = /^(\d+)(?:[x×](\d+))?$/.exec(text.trim());
  const [rows, columns] = [Number(match?.[1]), match?.[2] === undefined ? 1 : Number(match[2])];
  if (match === null || rows < 1 || columns < 1) {
    throw new InvalidArgumentError("Expected an array such as 12x14, or a number of elements.");
  }
  return match[2] === undefined ? rows : { rows, columns };
}

function share(text: string): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError("Expected a share from 0 to 1.");
}
