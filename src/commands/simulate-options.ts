/** Flags of `vdnn simulate`. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { parseBytes } from "../units.ts";
import { positiveNumber, REPORT_FLAG, wholeNumber } from "./options.ts";

export interface SimulateFlags {
  readonly gpu: string;
  readonly network: string;
  readonly batch: number;
  readonly policy?: string;
  readonly algorithm?: "m" | "g" | "p" | "dyn";
  readonly optimizer: "sgd" | "momentum" | "adam";
  readonly deviceMemory?: number;
  readonly hostMemory?: number;
  readonly link?: string | number;
  readonly flops?: number;
  readonly workspaceLimit?: number;
  readonly synchronization: "layer" | "none";
  readonly depth?: number;
  readonly width?: number;
  readonly imageSize?: number;
  readonly sequenceLength?: number;
  readonly vocabulary?: number;
  readonly classes?: number;
  readonly trace?: string;
  readonly record?: string;
  readonly report?: string;
  readonly json?: boolean;
}

export const SIMULATE_EXAMPLES = `Examples:
  vdnn simulate --gpu titan-x --network vgg-16 --batch 256                  every policy, as in the vDNN paper
  vdnn simulate --gpu v100 --link nvlink --network resnet-152 --batch 128 --policy auto --trace trace.json
  vdnn simulate --gpu h100 --device-memory 16GiB --network transformer --width 1024 --depth 24 --sequence-length 512 --batch 64
`;

export function addSimulateOptions(command: Command): Command {
  return command
    .option("--gpu <name>", "a preset such as titan-x, v100, h100 (an unknown name lists them)", "titan-x")
    .option("--network <name>", "such as vgg-16, vgg-416, resnet-50, alexnet, lstm, transformer", "vgg-16")
    .option("--batch <n>", "samples per step", wholeNumber(1), 64)
    .option("--policy <name>", "one policy; default: all of them")
    .addOption(
      new Option(
        "--algorithm <name>",
        "of convolutions: memory- or performance-optimal, between, or the policy's choice",
      ).choices(["m", "g", "p", "dyn"]),
    )
    .addOption(
      new Option("--optimizer <name>", "whose state takes memory too")
        .choices(["sgd", "momentum", "adam"])
        .default("sgd"),
    )
    .option("--device-memory <size>", "budget; default: the GPU's memory", size)
    .option("--host-memory <size>", "budget for offloaded data; default: none", size)
    .option("--link <name|GB/s>", "pcie, nvlink, a preset such as pcie4, or each direction's rate", link)
    .option("--flops <rate>", "FP32 peak, such as 19.5T or 7e12 operations per second", flops)
    .option("--workspace-limit <size>", "most workspace of one convolution (default: 4GiB)", size)
    .addOption(
      new Option(
        "--synchronization <mode>",
        "vdnn-* wait for copies after each layer, as in the paper, or as they must",
      )
        .choices(["layer", "none"])
        .default("layer"),
    )
    .option("--depth <n>", "layers; which depths there are depends on the network", wholeNumber(1))
    .option("--width <n>", "channels, units, or a factor on every channel count", positiveNumber)
    .option("--image-size <pixels>", "height and width of the images", wholeNumber(1))
    .option("--sequence-length <n>", "tokens per sample", wholeNumber(1))
    .option("--vocabulary <n>", "distinct tokens", wholeNumber(1))
    .option("--classes <n>", "classes", wholeNumber(1))
    .option("--trace <file>", "with --policy: write its time line for Perfetto or chrome://tracing")
    .option("--record <file>", "with --policy: write its iteration as JSON (vdnn-graph/1)")
    .option(...REPORT_FLAG)
    .option("--json", "print one JSON document");
}

export function size(text: string): number {
  try {
    return parseBytes(text);
  } catch {
    throw new InvalidArgumentError("Expected a size such as 512MiB, 12GB or a positive number of bytes.");
  }
}

export function link(text: string): string | number {
  const match = /^\s*(\d+(?:\.\d+)?(?:e\d+)?)\s*(?:gb\/s|gbps)?\s*$/i.exec(text);
  return match === null ? text : positiveNumber(match[1] ?? "");
}

const FLOPS_PER_UNIT: Readonly<Record<string, number>> = { "": 1, g: 1e9, t: 1e12, p: 1e15 };

function flops(text: string): number {
  const match = /^\s*(\d+(?:\.\d+)?(?:e\d+)?)\s*([gtp]?)(?:flops?(?:\/s)?)?\s*$/i.exec(text);
  const rate = Number(match?.[1]) * (FLOPS_PER_UNIT[(match?.[2] ?? "").toLowerCase()] ?? Number.NaN);
  if (Number.isFinite(rate) && rate > 0) return rate;
  throw new InvalidArgumentError("Expected a rate such as 19.5T or 7e12.");
}
