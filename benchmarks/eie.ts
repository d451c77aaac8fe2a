/**
 * Does the simulated EIE take the cycles of the authors' own simulator on its data, and the times of the paper on its nine layers?
 */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { jetsonClaim } from "../src/accelerator/claims.ts";
import { EIE } from "../src/accelerator/eie/machine.ts";
import {
  ALEX8_CYCLES,
  HOSTS,
  PUBLISHED_ALEX7_FPS,
  PUBLISHED_ALEX7_FRAMES_PER_JOULE,
  PUBLISHED_ALEXNET_FPS,
  PUBLISHED_CHIP_W,
  PUBLISHED_SPEEDUPS,
  type PublishedLayer,
  speedupOver,
  throughputOf,
} from "../src/accelerator/eie/published.ts";
import { readLayerDirectory } from "../src/accelerator/eie/read-directory.ts";
import { efficiencyOf, simulate } from "../src/accelerator/eie/simulate.ts";
import { type ModelledLayer, modelTableIV } from "../src/accelerator/eie/table-iv.ts";
import { type EieResult, eieTables, type FifoRow, type HeadlineRow, HOST_NAMES, type LayerRow } from "./eie-result.ts";
import { environment, progress, publish, ROOT, runAsProgram } from "./harness.ts";
import { integer, readOptions } from "./options.ts";

const QUESTION =
  "Does the simulated EIE take the cycles of the authors' own simulator, and the times of the paper on its nine layers?";

const OPTIONS = {
  data: { default: path.join(ROOT, "../shared/data/eie-alex8"), help: "layer directory of AlexNet's FC8" },
  seed: { default: "1", help: "of the random layers" },
};

async function sweepFifo(directory: string): Promise<FifoRow[]> {
  const { layer, activations, expected } = await readLayerDirectory(directory);
  return Object.entries(ALEX8_CYCLES).map(([depth, publishedCycles]) => {
    const fifo = Number(depth);
    const start = performance.now();
    const run = simulate(layer, activations, { machine: { ...EIE, fifoRegisters: fifo } });
    const ms = performance.now() - start;
    const errors = expected?.map((value, i) => Math.abs(value - (run.outputs[i] ?? Number.NaN)));
    const maxError = errors === undefined ? null : errors.reduce((most, error) => Math.max(most, error), 0);
    return { fifo, cycles: run.cycles, publishedCycles, efficiency: efficiencyOf(run), maxError, ms };
  });
}

function rowOf(layer: ModelledLayer): LayerRow {
  const { published, theoreticalUs, actualUs, efficiency, fillerShare, impliedActivationDensity } = layer;
  return {
    name: published.name,
    theoreticalUs,
    publishedTheoreticalUs: published.theoreticalUs,
    actualUs,
    publishedActualUs: published.actualUs,
    efficiency,
    fillerShare,
    impliedActivationDensity,
    overflow: layer.storage.reasons,
    explanation: layer.explanation,
  };
}

function headlines(layers: readonly ModelledLayer[]): HeadlineRow[] {
  const modelledUs = new Map(layers.map(({ published, actualUs }) => [published.name, actualUs]));
  const publishedUs = new Map(layers.map(({ published }) => [published.name, published.actualUs]));
  const byName = (us: ReadonlyMap<string, number>, names: readonly string[]): number[] =>
    names.map((name) => us.get(name) ?? Number.NaN);
  const alexNet = ["Alex-6", "Alex-7", "Alex-8"];
  const rates = (names: readonly string[]) =>
    [publishedUs, modelledUs].map((us) => throughputOf(byName(us, names), PUBLISHED_CHIP_W));
  const row = (
    what: string,
    stated: number,
    [recomputed = Number.NaN, modelled = Number.NaN]: number[],
  ): HeadlineRow => ({
    what,
    stated,
    recomputed,
    modelled,
  });
  const modelledOf = ({ name }: PublishedLayer): number => modelledUs.get(name) ?? Number.NaN;
  return [
    ...HOSTS.map((host) =>
      row(`times faster than ${HOST_NAMES[host]}, dense, geometric mean`, PUBLISHED_SPEEDUPS[host], [
        speedupOver(host, ({ actualUs }) => actualUs),
        speedupOver(host, modelledOf),
      ]),
    ),
    row(
      "frames/s, AlexNet's three layers",
      PUBLISHED_ALEXNET_FPS,
      rates(alexNet).map(({ framesPerSecond }) => framesPerSecond),
    ),
    row(
      "frames/s, Alex-7",
      PUBLISHED_ALEX7_FPS,
      rates(["Alex-7"]).map(({ framesPerSecond }) => framesPerSecond),
    ),
    row(
      "frames/J, Alex-7",
      PUBLISHED_ALEX7_FRAMES_PER_JOULE,
      rates(["Alex-7"]).map(({ framesPerJoule }) => framesPerJoule),
    ),
  ];
}

await runAsProgram(import.meta.url, async () => {
  const options = readOptions(QUESTION, OPTIONS);
  const seed = integer(options.seed, "seed");
  if (!existsSync(options.data)) progress(`${options.data} is absent: its table stays empty`);
  const fifo = existsSync(options.data) ? await sweepFifo(options.data) : [];
  progress("nine random layers");
  const layers = modelTableIV({ seed });
  const result: EieResult = {
    schema: "vdnn-bench-eie/1",
    question: QUESTION,
    environment: environment(null),
    seed,
    fifo,
    layers: layers.map(rowOf),
    headlines: headlines(layers),
    claim: jetsonClaim(),
  };
  publish(options.json, result, eieTables(result));
});
