/**
 * The command line: commands, flags and what an error becomes. Each command's code is loaded when it is called, so `--help` does
 * not wait for TensorFlow.js.
 */
import { createRequire } from "node:module";
import { Command, CommanderError, Option } from "commander";
import type { DoctorOptions } from "./commands/doctor.ts";
import { addCompareOptions, COMPARE_EXAMPLES, type CompareFlags } from "./commands/compare-options.ts";
import { addCompressOptions, COMPRESS_EXAMPLES, type CompressFlags } from "./commands/compress-options.ts";
import type { DemoFlags } from "./commands/demo.ts";
import { addDepthOptions, DEPTH_EXAMPLES, type DepthFlags } from "./commands/depth-options.ts";
import { addInferOptions, INFER_EXAMPLES, type InferFlags } from "./commands/infer-options.ts";
import { addFileOptions, addSessionOptions, positiveNumber, REPORT_FLAG, wholeNumber } from "./commands/options.ts";
import { addPlanOptions, PLAN_EXAMPLES, type PlanFlags } from "./commands/plan-options.ts";
import { type RunFlags, separateSpill } from "./commands/run.ts";
import { addSimulateOptions, SIMULATE_EXAMPLES, type SimulateFlags } from "./commands/simulate-options.ts";
import type { TrainFlags } from "./commands/train.ts";
import { OPTIMIZERS } from "./commands/optimizers.ts";
import { VdnnError } from "./errors.ts";
import { isOn } from "./register/settings.ts";

/** Exit codes; `vdnn run` ends with its script's own. */
export const EXIT = { ok: 0, failed: 1, usage: 2, doesNotFit: 3 } as const;

const BACKENDS = ["tensorflow", "wasm", "webgpu", "cpu"] as const;
const DOES_NOT_FIT: ReadonlySet<string> = new Set(["ERR_OUT_OF_MEMORY", "ERR_HOST_MEMORY"]);

const EXAMPLES = {
  main: `Examples:
  vdnn run --device-memory 512MiB train.js --epochs 3      an existing script, unmodified, under a budget
  vdnn run --device-memory 256MiB --spill train.ts         with a spill file behind host memory
  vdnn train --network resnet --depth 20 --compare         a built-in network, against stock TensorFlow.js
  vdnn demo                                                all policies at a quarter of stock's memory
  vdnn simulate --gpu titan-x --network vgg-16 --batch 256 the vDNN paper's policies, on its GPU
  vdnn compare --network vgg-16 --svg vgg.svg              every policy at four budgets, with a chart
  vdnn depth --network chain --device-memory 256MiB        the deepest network that each policy can train
  vdnn plan --graph step.json.gz --device-memory 40GiB     what a budget costs, and how far from optimal
  vdnn infer --accelerator eyeriss squeezenet              what inference costs on a simulated accelerator
  vdnn compress lenet300 --prune 0.94 --output small.vdnnz pruned, weights shared, encoded, with accuracies
  vdnn doctor                                              what this machine offers
`,
  run: `Examples:
  vdnn run train.js
  vdnn run --device-memory 512MiB train.js --epochs 3      what follows the script is the script's
  vdnn run --device-memory 512MiB --report run.html train.js  a page to look at afterwards
  vdnn run --policy vdnn-all --report run.json --trace trace.json train.mjs
  NODE_OPTIONS=--max-old-space-size=8192 vdnn run --spill /mnt/disk train.ts
`,
  train: `Examples:
  vdnn train --network chain --depth 50 --batch 32 --device-memory 64MiB
  vdnn train --network resnet --depth 20 --image-size 32 --classes 10 --compare
  vdnn train --network lstm --steps 20 --json > result.json
`,
  demo: `Examples:
  vdnn demo
  vdnn demo --backend tensorflow
  vdnn demo --depth 8 --batch 4 --width 0.25               small and quick
`,
};

/** Runs the program; returns its exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = createProgram((code) => (exitCode = code));
  try {
    const runCommand = program.commands.find((command) => command.name() === "run");
    const at = argv.findIndex((token) => !token.startsWith("-"));
    const tokens =
      runCommand !== undefined && argv[at] === "run"
        ? [...argv.slice(0, at + 1), ...separateSpill(runCommand, argv.slice(at + 1))]
        : argv;
    await program.parseAsync(tokens, { from: "user" });
    return exitCode;
  } catch (error) {
    return report(error, program.opts<{ verbose?: boolean }>().verbose === true || isOn(process.env["VDNN_DEBUG"]));
  }
}

function createProgram(setExitCode: (code: number) => void): Command {
  const { version } = createRequire(import.meta.url)("vdnn/package.json") as { version: string };
  const program = new Command("vdnn")
    .description("Trains TensorFlow.js models under a hard device-memory budget, with bit-identical results.")
    .version(version, "--version", "print the version")
    .option("--verbose", "print stack traces of errors")
    .exitOverride()
    .enablePositionalOptions()
    .showHelpAfterError("(--help says more)")
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "vdnn: ")) })
    .addHelpText("before", EXAMPLES.main);
  const command = (name: string, summary: string): Command => program.command(name).description(summary);

  addFileOptions(addSessionOptions(command("run", "Runs an existing training script under vdnn.")))
    .addHelpText("before", EXAMPLES.run)
    .option("--quiet", "no summary at the end")
    .option(
      "--return-memory",
      "give freed buffers of 1 MiB and more back to the system at once: a smaller resident set on the tensorflow backend, but " +
        "much slower steps, as every new buffer faults its pages in. Sets MALLOC_MMAP_THRESHOLD_=1048576 for the script and " +
        "what it starts, unless that is set; Linux with glibc only",
    )
    .argument("<script>", "a .js, .mjs, .cjs or .ts file")
    .argument("[arguments...]", "the script's own")
    .passThroughOptions()
    .action(async (script: string, rest: string[], flags: RunFlags) => {
      const { run } = await import("./commands/run.ts");
      setExitCode(await run(script, rest, { ...flags, quiet: flags.quiet ?? isOn(process.env["VDNN_QUIET"]) }));
    });

  addFileOptions(addSessionOptions(networkOptions(command("train", "Trains a built-in network on generated data."))))
    .addHelpText("before", EXAMPLES.train)
    .addOption(new Option("--backend <name>", "default: the fastest that works").env("VDNN_BACKEND").choices(BACKENDS))
    .option("--fast-input-gradient", "wasm: vdnn's faster Conv2DBackpropInput, under stock as well")
    .option("--compare", "train under stock TensorFlow.js first and compare")
    .option("--json", "print one JSON document")
    .action(async (flags: TrainFlags) => {
      const { train } = await import("./commands/train.ts");
      setExitCode(await train(flags));
    });

  command("demo", "Compares the policies at a quarter of the memory that stock TensorFlow.js needs.")
    .addHelpText("before", EXAMPLES.demo)
    .addOption(new Option("--backend <name>").env("VDNN_BACKEND").choices(BACKENDS).default("wasm"))
    .option("--network <name>", "see vdnn networks", "resnet")
    .option("--depth <n>", "the network's depth", wholeNumber(1), 32)
    .option("--width <n>", "the network's width", positiveNumber, 0.5)
    .option("--image-size <pixels>", "height and width", wholeNumber(1), 32)
    .option("--batch <n>", "samples per step", wholeNumber(1), 16)
    .option("--steps <n>", "steps per run", wholeNumber(2), 8)
    .option("--budget-share <x>", "device budget, as a share of stock's peak", positiveNumber, 0.25)
    .option(...REPORT_FLAG)
    .option("--json", "print one JSON document")
    .action(async (flags: DemoFlags) => {
      const { demo } = await import("./commands/demo.ts");
      setExitCode(await demo(flags));
    });

  addSimulateOptions(command("simulate", "Simulates a training iteration on a GPU that need not be there."))
    .addHelpText("before", SIMULATE_EXAMPLES)
    .action(async (flags: SimulateFlags) => {
      const { simulateCommand } = await import("./commands/simulate.ts");
      setExitCode(await simulateCommand(flags));
    });

  addCompareOptions(command("compare", "Compares the policies at a list of budgets, simulated or measured."))
    .addHelpText("before", COMPARE_EXAMPLES)
    .action(async (flags: CompareFlags) => {
      const { compare } = await import("./commands/compare.ts");
      setExitCode(await compare(flags));
    });

  addDepthOptions(command("depth", "Finds the deepest network, or the largest batch, that trains under a budget."))
    .addHelpText("before", DEPTH_EXAMPLES)
    .action(async (flags: DepthFlags) => {
      const { depth } = await import("./commands/depth.ts");
      setExitCode(await depth(flags));
    });

  addPlanOptions(command("plan", "Plans a recorded or built-in iteration for a machine and a budget."))
    .addHelpText("before", PLAN_EXAMPLES)
    .action(async (flags: PlanFlags) => {
      const { planCommand } = await import("./commands/plan.ts");
      setExitCode(await planCommand(flags));
    });

  addInferOptions(command("infer", "Runs a network on a simulated accelerator: outputs, cycles and energy per layer."))
    .addHelpText("before", INFER_EXAMPLES)
    .action(async (model: string | undefined, flags: InferFlags) => {
      const { infer } = await import("./commands/infer.ts");
      setExitCode(await infer(model, flags));
    });

  addCompressOptions(command("compress", "Prunes and retrains a model, shares its weights and writes them encoded."))
    .addHelpText("before", COMPRESS_EXAMPLES)
    .action(async (model: string, flags: CompressFlags) => {
      const { compress } = await import("./commands/compress.ts");
      setExitCode(await compress(model, flags));
    });

  command("doctor", "Reports what this machine offers: backends, memory limits, copy bandwidths.")
    .option("--spill <dir>", "the directory whose disk is measured")
    .option("--json", "print one JSON document")
    .action(async (flags: DoctorOptions) => {
      const { doctor } = await import("./commands/doctor.ts");
      setExitCode(await doctor(flags));
    });

  for (const [name, list, summary] of [
    ["networks", "listNetworks", "Lists the built-in networks."],
    ["policies", "listPolicies", "Lists the policies."],
  ] as const) {
    command(name, summary)
      .option("--json", "print one JSON document")
      .action(async ({ json }: { json?: boolean }) => {
        const lists = await import("./commands/lists.ts");
        process.stdout.write(lists[list](json === true));
      });
  }
  return program;
}

function networkOptions(command: Command): Command {
  return command
    .option("--network <name>", "see vdnn networks", "chain")
    .option("--depth <n>", "layers; which depths there are depends on the network", wholeNumber(1))
    .option("--width <n>", "channels, units, or a factor on every channel count", positiveNumber)
    .option("--image-size <pixels>", "height and width of the images", wholeNumber(1))
    .option("--sequence-length <n>", "tokens per sample", wholeNumber(1))
    .option("--vocabulary <n>", "distinct tokens", wholeNumber(1))
    .option("--classes <n>", "classes", wholeNumber(1))
    .option("--batch <n>", "samples per step", wholeNumber(1), 16)
    .option("--steps <n>", "training steps", wholeNumber(1), 10)
    .addOption(new Option("--optimizer <name>").choices(OPTIMIZERS).default("adam"))
    .option("--learning-rate <x>", "its learning rate", positiveNumber, 0.001)
    .option("--seed <n>", "of weights and data", wholeNumber(0), 1);
}

/** Prints an error and returns the exit code that belongs to it. */
function report(error: unknown, verbose: boolean): number {
  // commander has printed its own message, or the help that was asked for.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (!(error instanceof VdnnError)) {
    process.stderr.write(`vdnn: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    return EXIT.failed;
  }
  process.stderr.write(`vdnn: ${verbose ? (error.stack ?? error.message) : error.message}\n`);
  if (error.code === "ERR_INVALID_OPTION") return EXIT.usage;
  return DOES_NOT_FIT.has(error.code) ? EXIT.doesNotFit : EXIT.failed;
}
