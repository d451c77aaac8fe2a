/** Flags of `vdnn depth`, and of a network's sizes as `vdnn compare` has them too. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { BackendName } from "../backends/load.ts";
import { positiveNumber, REPORT_FLAG, wholeNumber } from "./options.ts";
import { OPTIMIZERS, type OptimizerName } from "./optimizers.ts";
import { collect } from "./policy-names.ts";
import { link, size } from "./simulate-options.ts";

export interface SizeFlags {
  readonly width?: number;
  readonly imageSize?: number;
  readonly sequenceLength?: number;
  readonly vocabulary?: number;
  readonly classes?: number;
}

export interface DepthFlags extends SizeFlags {
  readonly network: string;
  readonly search: "depth" | "batch";
  readonly depth?: number;
  readonly batch?: number;
  readonly deviceMemory?: number;
  readonly hostMemory?: number;
  readonly policy?: readonly string[];
  readonly optimizer: OptimizerName;
  readonly start?: number;
  readonly max: number;
  readonly step: number;
  readonly simulate?: boolean;
  readonly gpu?: string;
  readonly link?: string | number;
  readonly backend?: BackendName;
  readonly steps: number;
  readonly timeout: number;
  readonly headroom: readonly number[];
  readonly report?: string;
  readonly json?: boolean;
}

export const DEPTH_EXAMPLES = `Examples:
  vdnn depth --network chain --batch 32 --device-memory 256MiB              the deepest chain that trains, by real runs
  vdnn depth --search batch --network resnet --depth 50 --device-memory 1GiB --policy stock --policy vdnn-dyn
  vdnn depth --simulate --gpu titan-x --network vgg --batch 32              the vDNN paper's very deep VGGs, on its GPU
`;

const BACKENDS = ["tensorflow", "wasm", "webgpu", "cpu"] as const;
const DEFAULT_HEADROOM: readonly number[] = [0.25, 0.5, 0.75];

export function addSizeOptions(command: Command): Command {
  return command
    .option("--width <n>", "channels, units, or a factor on every channel count", positiveNumber)
    .option("--image-size <pixels>", "height and width of the images", wholeNumber(1))
    .option("--sequence-length <n>", "tokens per sample", wholeNumber(1))
    .option("--vocabulary <n>", "distinct tokens", wholeNumber(1))
    .option("--classes <n>", "classes", wholeNumber(1));
}

export function addDepthOptions(command: Command): Command {
  command
    .option("--network <name>", "see vdnn networks", "chain")
    .addOption(
      new Option("--search <what>", "what is made as large as it can be").choices(["depth", "batch"]).default("depth"),
    )
    .option("--depth <n>", "with --search batch: layers", wholeNumber(1))
    .option("--batch <n>", "with --search depth: samples per step (default: 32)", wholeNumber(1))
    .option("--device-memory <size>", "the budget; with --simulate the default is the GPU's memory", size)
    .option("--host-memory <size>", "budget for offloaded data; default: none", size)
    .option("--policy <name>", "one policy, may be repeated; default: all of them", collect)
    .addOption(new Option("--optimizer <name>", "whose state takes memory too").choices(OPTIMIZERS).default("sgd"))
    .option("--start <n>", "the size that is tried first", wholeNumber(1))
    .option("--max <n>", "the largest size that is tried", wholeNumber(1), 4096)
    .option("--step <n>", "try every n-th size only", wholeNumber(1), 1)
    .option("--simulate", "plan for a GPU that need not be there instead of training")
    .option("--gpu <name>", "with --simulate: a preset (an unknown name lists them; default: titan-x)")
    .option("--link <name|GB/s>", "with --simulate: pcie, nvlink, a preset, or each direction's rate", link)
    .addOption(new Option("--backend <name>", "default: the fastest that works").env("VDNN_BACKEND").choices(BACKENDS))
    .option("--steps <n>", "training steps of a real run; the first has no plan yet", wholeNumber(2), 3)
    .option("--timeout <seconds>", "most time for one real run", positiveNumber, 300)
    .option(
      "--headroom <shares>",
      "tensorflow: parts of the budget to leave to what vdnn's ledger does not see, tried in turn (default: 0.25,0.5,0.75)",
      shares,
      DEFAULT_HEADROOM,
    )
    .option(...REPORT_FLAG)
    .option("--json", "print one JSON document");
  return addSizeOptions(command);
}

function shares(text: string): readonly number[] {
  const values = text.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  if (values.every((value) => value >= 0 && value < 1)) return values.toSorted((a, b) => a - b);
  throw new InvalidArgumentError("Expected shares from 0 up to but not including 1, such as 0.25,0.5.");
}
