/**
 * What is left of the energy of an inference when a network is trained, pruned, shared, encoded, and run where zeros are free? The
 * chain of ideas from vDNN over Deep Compression to Eyeriss and EIE, as one program.
 */
import { writeFileSync } from "node:fs";
import { DEFAULT_ENERGY } from "../src/accelerator/energy-data.ts";
import { readEnergy } from "../src/accelerator/energy-file.ts";
import { loadTensorFlow } from "../src/backends/load.ts";
import { outputFile } from "../src/commands/options.ts";
import { drawnDigits } from "../src/data/digits.ts";
import { readMnist } from "../src/data/idx.ts";
import { slice } from "../src/data/images.ts";
import { environment, progress, publish, runAsProgram, runtimeOf } from "./harness.ts";
import { backendOption, choices, integer, readOptions, UsageError } from "./options.ts";
import { renderTalkChart } from "./talk-chart.ts";
import { type TalkResult, type TalkStage, talkTables } from "./talk-result.ts";
import { runOn, shapeRow, type TalkMachine, type TalkSetting } from "./talk-run.ts";
import { type Snapshot, TALK_NETWORKS, type TalkNetwork, trainForTalk } from "./talk-train.ts";

const QUESTION =
  "What is left of the energy of an inference when a network is trained, pruned, shared, encoded, and run where zeros are free?";

const OPTIONS = {
  network: { default: "lenet300", help: `one of ${TALK_NETWORKS.join(", ")}` },
  data: { default: "", help: "folder of MNIST's four files; none: drawn digits" },
  train: { default: "6000", help: "images to train on" },
  frames: { default: "1000", help: "other images, run on every machine" },
  keep: { default: "0.08", help: "share of the weights that stay" },
  device: { default: "", help: "device budget of the training; none: 8MiB for lenet300, 24MiB for lenet5" },
  energy: { default: DEFAULT_ENERGY, help: "energy table, by name or as a file" },
  seed: { default: "1", help: "of weights, data and order" },
  svg: { default: "", help: "file for the chart" },
};

const BUDGETS: Readonly<Record<TalkNetwork, string>> = { lenet300: "8MiB", lenet5: "24MiB" };

interface Step {
  readonly name: string;
  readonly title: string;
  readonly machine: TalkMachine;
  readonly snapshot: Snapshot;
}

await runAsProgram(import.meta.url, async () => {
  const options = readOptions(QUESTION, OPTIONS);
  const [network = "lenet300"] = choices(options.network, "network", TALK_NETWORKS);
  const [trainCount, frames] = [integer(options.train, "train"), integer(options.frames, "frames")];
  const seed = integer(options.seed, "seed", 0);
  const keep = Number(options.keep);
  if (!(keep > 0 && keep <= 1))
    throw new UsageError(`--keep: expected a share above 0 and up to 1, got "${options.keep}"`);
  const energy = readEnergy(options.energy);
  const svg = options.svg === "" ? null : outputFile(options.svg, "--svg");
  const all =
    options.data === "" ? drawnDigits({ trainCount, testCount: frames, seed }) : await readMnist(options.data);
  const data = { train: slice(all.train, 0, trainCount), test: slice(all.test, 0, frames) };
  const loaded = await loadTensorFlow(backendOption(options.backend, { blocking: true }));
  const { tf } = loaded;

  const deviceMemory = options.device === "" ? BUDGETS[network] : options.device;
  const weights = await trainForTalk(tf, { network, data, keep, deviceMemory, seed }, progress);
  const { trained, pruned, encoded } = weights;
  const fixed = { ...trained, bytes: trained.bytes / 2 };
  const withConvolutions = network === "lenet5" ? "EIE, convolutions on Eyeriss" : "EIE";
  const steps: readonly Step[] = [
    { name: "trained, FP32", title: "row stationary", machine: "baseline-fp32", snapshot: trained },
    { name: "16-bit fixed point", title: "row stationary", machine: "baseline-int16", snapshot: fixed },
    { name: "zeros gated and coded", title: "Eyeriss", machine: "eyeriss", snapshot: fixed },
    { name: "pruned, retrained", title: "Eyeriss", machine: "eyeriss", snapshot: pruned },
    { name: "shared, Huffman-coded", title: withConvolutions, machine: "eie", snapshot: encoded },
  ];
  const setting: TalkSetting = { network, images: data.test, energy, seed };
  const stages: TalkStage[] = [];
  for (const { name, title, machine, snapshot } of steps) {
    progress(`running: ${name}`);
    const run = await runOn(tf, machine, snapshot.weights, setting);
    stages.push({ name, machine: title, bytes: snapshot.bytes, ...run });
  }
  const result: TalkResult = {
    schema: "vdnn-bench-talk/1",
    question: QUESTION,
    environment: environment(runtimeOf(loaded)),
    network,
    data: options.data === "" ? "drawn digits" : options.data,
    trainImages: data.train.count,
    frames: data.test.count,
    parameters: weights.parameters,
    kept: weights.kept,
    energy: energy.name,
    deviceMemory,
    peakDeviceBytes: weights.peakDeviceBytes,
    stages,
    shapes: [shapeRow(tf, "alexnet", energy), shapeRow(tf, "squeezenet", energy)],
  };
  publish(options.json, result, talkTables(result));
  if (svg !== null) writeFileSync(svg, renderTalkChart(result));
});
