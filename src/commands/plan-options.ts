/** Flags of `vdnn plan`. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { VdnnError } from "../errors.ts";
import { parseBytes } from "../units.ts";
import { positiveNumber, REPORT_FLAG, wholeNumber } from "./options.ts";

export interface PlanFlags {
  readonly graph?: string;
  readonly network?: string;
  readonly batch?: number;
  readonly gpu?: string;
  readonly optimizer?: "sgd" | "momentum" | "adam";
  readonly depth?: number;
  readonly width?: number;
  readonly imageSize?: number;
  readonly sequenceLength?: number;
  readonly vocabulary?: number;
  readonly classes?: number;
  readonly deviceMemory?: number;
  readonly hostMemory?: number;
  readonly link?: string | number;
  readonly linkOut?: string | number;
  readonly linkIn?: string | number;
  readonly spill?: SpillTier;
  readonly policy?: readonly string[];
  readonly recompute: boolean;
  readonly moves?: number;
  readonly why?: boolean;
  readonly certify?: boolean;
  readonly trace?: string;
  readonly report?: string;
  readonly json?: boolean;
}

/** A tier behind host memory. */
export interface SpillTier {
  readonly writeGBps: number;
  readonly readGBps: number;
  /** Infinity where none was given. */
  readonly bytes: number;
}

export const PLAN_EXAMPLES = `Examples:
  vdnn plan --graph iteration.json.gz --device-memory 40GiB --host-memory 128GiB --link 15.754
  vdnn plan --network resnet-50 --batch 256 --gpu titan-x --policy all         every policy, in one table
  vdnn plan --network vgg-16 --batch 256 --device-memory 8GiB --why            what limits it, and what would help
  vdnn run --record step.json.gz train.js && vdnn plan --graph step.json.gz --device-memory 64MiB --json > plan.json
`;

/** Flags that say what a built-in network is, and mean nothing for a graph file. */
export const NETWORK_FLAGS = [
  "batch",
  "optimizer",
  "depth",
  "width",
  "imageSize",
  "sequenceLength",
  "vocabulary",
  "classes",
] as const;

export function addPlanOptions(command: Command): Command {
  return command
    .option("--graph <file>", "an iteration: vdnn-graph/1 as JSON, gzipped or not (vdnn run --record writes one)")
    .option("--network <name>", "or a built-in network, such as vgg-16, resnet-50, with modelled kernel times")
    .option("--batch <n>", "with --network: samples per step (default: 64)", wholeNumber(1))
    .option("--gpu <name>", "memory, link and, with --network, kernel times of a preset (default: titan-x)")
    .addOption(new Option("--optimizer <name>", "with --network (default: sgd)").choices(["sgd", "momentum", "adam"]))
    .option("--depth <n>", "with --network, as are the next five: layers", wholeNumber(1))
    .option("--width <n>", "channels, units, or a factor on every channel count", positiveNumber)
    .option("--image-size <pixels>", "height and width of the images", wholeNumber(1))
    .option("--sequence-length <n>", "tokens per sample", wholeNumber(1))
    .option("--vocabulary <n>", "distinct tokens", wholeNumber(1))
    .option("--classes <n>", "classes", wholeNumber(1))
    .option(
      "--device-memory <size>",
      "budget (default: none for --graph, the GPU's memory with --gpu or --network)",
      size,
    )
    .option("--host-memory <size>", "budget for offloaded data (default: none)", size)
    .option("--link <name|GB/s>", "each direction between device and host; 0: nothing moves (default: the GPU's)", rate)
    .option("--link-out <name|GB/s>", "device to host, where it differs", rate)
    .option("--link-in <name|GB/s>", "host to device, where it differs", rate)
    .option(
      "--spill <GB/s[:size]>",
      "a tier behind host memory, such as 3.2GBps:1TB, or 2/3.2 for writing/reading",
      spill,
    )
    .option("--policy <name>", "may be given several times, or: all (default: auto)", collect)
    .option("--no-recompute", "auto: every kernel runs once")
    .option("--moves <n>", "auto: search effort, in plans tried beyond the first ones", wholeNumber(0))
    .option("--why", "say what limits the plan, which budgets would work and what would help")
    .option("--certify", "small graphs: prove the optimum and compare")
    .option("--trace <file>", "write the plan's time line for Perfetto or chrome://tracing")
    .option(...REPORT_FLAG)
    .option("--json", "print one JSON document (vdnn-plan/1)");
}

/** Checks what commander cannot. @throws VdnnError `ERR_INVALID_OPTION` */
export function checkPlanFlags(flags: PlanFlags): void {
  const { graph, network } = flags;
  if ((graph === undefined) === (network === undefined)) {
    throw new VdnnError(
      "ERR_INVALID_OPTION",
      `expected either --graph FILE or --network NAME, got ${graph === undefined ? "neither" : "both"}`,
      { option: "graph", got: { graph, network } },
    );
  }
  const misplaced = graph === undefined ? undefined : NETWORK_FLAGS.find((name) => flags[name] !== undefined);
  if (misplaced !== undefined) {
    const flag = `--${misplaced.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    throw new VdnnError(
      "ERR_INVALID_OPTION",
      `${flag}: is for --network alone; a graph file is an iteration of one size`,
      { option: misplaced, got: flags[misplaced] },
    );
  }
}

function size(text: string): number {
  try {
    return parseBytes(text);
  } catch {
    throw new InvalidArgumentError("Expected a size such as 512MiB, 12GB or a positive number of bytes.");
  }
}

const RATE = String.raw`\d+(?:\.\d+)?(?:e\d+)?`;

/** A number is a rate in GB/s, 0 among them; all else a name, which is looked up later. */
function rate(text: string): string | number {
  const match = new RegExp(`^\\s*(${RATE})\\s*(?:gb/s|gbps)?\\s*$`, "i").exec(text);
  if (match !== null) return Number(match[1]);
  if (/^\s*[-+.\d]/.test(text))
    throw new InvalidArgumentError("Expected a rate in GB/s, 0 or more, or a name such as pcie4.");
  return text;
}

function spill(text: string): SpillTier {
  const match = new RegExp(`^\\s*(${RATE})(?:/(${RATE}))?\\s*(?:gb/s|gbps)?\\s*(?::(.+))?$`, "i").exec(text);
  const [, write, read = write, capacity] = match ?? [];
  const [writeGBps, readGBps] = [Number(write), Number(read)];
  if (!(writeGBps > 0 && readGBps > 0)) {
    throw new InvalidArgumentError("Expected a rate in GB/s and perhaps a size, such as 3.2GBps:1TB or 2/3.2:512GiB.");
  }
  return { writeGBps, readGBps, bytes: capacity === undefined ? Number.POSITIVE_INFINITY : size(capacity) };
}

function collect(name: string, before: readonly string[] = []): string[] {
  return [...before, name];
}
