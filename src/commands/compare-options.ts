/** Flags of `vdnn compare`. */
import { type Command, Option } from "commander";
import type { BackendName } from "../backends/load.ts";
import { addSizeOptions, type SizeFlags } from "./depth-options.ts";
import { positiveNumber, REPORT_FLAG, wholeNumber } from "./options.ts";
import { OPTIMIZERS, type OptimizerName } from "./optimizers.ts";
import { collect } from "./policy-names.ts";
import { link, size } from "./simulate-options.ts";

export interface CompareFlags extends SizeFlags {
  readonly graph?: string;
  readonly measured?: boolean;
  readonly network?: string;
  readonly depth?: number;
  readonly batch: number;
  readonly optimizer: OptimizerName;
  readonly gpu?: string;
  readonly link?: string | number;
  readonly hostMemory?: number;
  readonly budgets: string;
  readonly of: "liveness" | "stock" | "network-wide";
  readonly policy?: readonly string[];
  readonly energy: string;
  readonly backend?: BackendName;
  readonly rounds: number;
  readonly steps: number;
  readonly timeout: number;
  readonly svg?: string;
  readonly report?: string;
  readonly json?: boolean;
}

export const COMPARE_EXAMPLES = `Examples:
  vdnn compare --network vgg-16 --batch 64 --gpu titan-x --svg vgg.svg      every policy at four budgets, simulated
  vdnn compare --graph iteration.json.gz --gpu a100 --budgets 25%,50%,8GiB  the same for a recorded iteration
  vdnn compare --measured --network chain --depth 20 --budgets 25%,50%      real runs, on the backend that is installed
`;

const BACKENDS = ["tensorflow", "wasm", "webgpu", "cpu"] as const;

export function addCompareOptions(command: Command): Command {
  command
    .option("--graph <file>", "an iteration with its times (vdnn-graph/1, gzipped or not) instead of a network")
    .option("--measured", "train on the installed backend instead of simulating")
    .option("--network <name>", "such as vgg-16, resnet-50, transformer (default: vgg-16; measured: chain)")
    .option("--depth <n>", "layers; which depths there are depends on the network", wholeNumber(1))
    .option("--batch <n>", "samples per step", wholeNumber(1), 32)
    .addOption(new Option("--optimizer <name>", "whose state takes memory too").choices(OPTIMIZERS).default("sgd"))
    .option("--gpu <name>", "a preset (an unknown name lists them; default: titan-x)")
    .option("--link <name|GB/s>", "pcie, nvlink, a preset such as pcie4, or each direction's rate", link)
    .option("--host-memory <size>", "budget for offloaded data; default: none", size)
    .option("--budgets <list>", "device budgets: sizes, or percentages of a baseline's peak", "25%,50%,75%,100%")
    .addOption(
      new Option("--of <baseline>", "what percentages are of")
        .choices(["liveness", "stock", "network-wide"])
        .default("liveness"),
    )
    .option("--policy <name>", "one policy, may be repeated; default: all of them", collect)
    .option("--energy <name|file>", "energy of a word that moves (vdnn-energy/1)", "horowitz-45nm")
    .addOption(new Option("--backend <name>", "measured: default the fastest that works").choices(BACKENDS))
    .option("--rounds <n>", "measured: every run this often, interleaved", wholeNumber(1), 3)
    .option(
      "--steps <n>",
      "measured: training steps per run; the first three plan, and do not count",
      wholeNumber(2),
      6,
    )
    .option("--timeout <seconds>", "measured: most time for one run", positiveNumber, 300)
    .option("--svg <file>", "write a chart of step time over budget")
    .option(...REPORT_FLAG)
    .option("--json", "print one JSON document");
  return addSizeOptions(command);
}
