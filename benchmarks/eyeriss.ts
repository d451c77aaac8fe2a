/**
 * How close does the model of the Eyeriss chip come to what was measured on it? Time, buffer and DRAM traffic and power of AlexNet and
 * VGG-16 against JSSC 2017; the energy split and the dataflows against ISCA 2016. Modelled throughout; only the model's own time is
 * measured.
 */
import { sameArea } from "../src/accelerator/dataflows/area.ts";
import { cheapest } from "../src/accelerator/dataflows/dataflow.ts";
import { compareDataflows } from "../src/accelerator/dataflows/index.ts";
import { FIG10, FIG10_LAYERS, type Fig10Energy } from "../src/accelerator/dataflows/published.ts";
import { rowStationary } from "../src/accelerator/dataflows/row-stationary.ts";
import { energyNamed } from "../src/accelerator/energy-data.ts";
import { layerAccuracy, networkAccuracy, powerAccuracy } from "../src/accelerator/eyeriss/accuracy.ts";
import { eyerissCost } from "../src/accelerator/eyeriss/cost.ts";
import { EYERISS_CHIP } from "../src/accelerator/eyeriss/hardware.ts";
import { MEASURED_ALEXNET, type MeasuredLayer } from "../src/accelerator/eyeriss/measured.ts";
import { ALEXNET, ALEXNET_CONV3_BY_TRAFFIC, type PublishedLayer, VGG16 } from "../src/accelerator/eyeriss/published.ts";
import { scoreOf } from "../src/accelerator/eyeriss/score.ts";
import { bestMapping } from "../src/accelerator/eyeriss/search.ts";
import {
  type DataflowRow,
  type EyerissResult,
  eyerissTables,
  type Fig10Row,
  type SearchRow,
} from "./eyeriss-result.ts";
import { environment, progress, publish, runAsProgram, summarize } from "./harness.ts";
import { integer, readOptions } from "./options.ts";

const QUESTION = "How close does the model of the Eyeriss chip come to what was measured on it?";

const OPTIONS = {
  runs: { default: "20", help: "times that all layers are modelled, for the time of it" },
};

function searchRow(network: string, { shape, mapping }: PublishedLayer): SearchRow {
  const best = bestMapping(shape, EYERISS_CHIP) ?? mapping;
  const [known, searched] = [scoreOf(shape, mapping, EYERISS_CHIP), scoreOf(shape, best, EYERISS_CHIP)];
  const { m, n, e, p, q, r, t } = best;
  return {
    layer: `${network} ${shape.name}`,
    knownMs: known.ms,
    searchedMs: searched.ms,
    knownDramWords: known.dramWords,
    searchedDramWords: searched.dramWords,
    mapping: [m, n, e, p, q, r, t].join(" "),
  };
}

function fig10Row(published: Fig10Energy): Fig10Row {
  const layer = FIG10_LAYERS.find(({ name }) => name === published.layer);
  const cost = layer === undefined ? null : cheapest(rowStationary, layer, sameArea(rowStationary));
  const { arithmetic = Number.NaN, dram = Number.NaN, registers = Number.NaN } = cost?.energy ?? {};
  const modelled = { arithmetic: arithmetic / 1e9, dram: dram / 1e9, registers: registers / 1e9 };
  return { published, modelled: { layer: published.layer, ...modelled } };
}

function dataflowRows(): DataflowRow[] {
  const [convolutions, fullyConnected] = (["convolution", "fully-connected"] as const).map((kind) =>
    compareDataflows(FIG10_LAYERS.filter((layer) => layer.kind === kind)),
  );
  const over = (comparison: typeof convolutions, i: number): number | null => {
    const [own, least] = [comparison?.[i]?.total ?? null, comparison?.[0]?.total ?? null];
    return own === null || least === null ? null : own / least;
  };
  return (convolutions ?? []).map(({ name, title, bufferWords }, i) => ({
    name,
    title,
    bufferKB: (bufferWords * 2) / 1024,
    convolutions: over(convolutions, i),
    fullyConnected: over(fullyConnected, i),
  }));
}

await runAsProgram(import.meta.url, async () => {
  const options = readOptions(QUESTION, OPTIONS);
  const runs = integer(options.runs, "runs");
  const energy = energyNamed();
  const conv3 = ALEXNET[2] as PublishedLayer;
  const given = eyerissCost(conv3.shape, { energy, densities: conv3.densities, mapping: ALEXNET_CONV3_BY_TRAFFIC });
  const times = Array.from({ length: runs + 1 }, () => {
    const start = performance.now();
    for (const { shape, densities } of [...ALEXNET, ...VGG16]) eyerissCost(shape, { energy, densities });
    return performance.now() - start;
  });
  progress("searching mappings");
  const search = [
    ...ALEXNET.map((layer) => searchRow("AlexNet", layer)),
    ...VGG16.map((layer) => searchRow("VGG-16", layer)),
  ];
  progress("comparing dataflows");
  const result: EyerissResult = {
    schema: "vdnn-bench-eyeriss/1",
    question: QUESTION,
    environment: environment(null),
    networks: [networkAccuracy("alexnet"), networkAccuracy("vgg-16")],
    conv3: layerAccuracy(given, MEASURED_ALEXNET[2] as MeasuredLayer),
    power: powerAccuracy(),
    // The first run compiles.
    modelMs: summarize(times.slice(1)),
    search,
    fig10: FIG10.map(fig10Row),
    dataflows: dataflowRows(),
  };
  publish(options.json, result, eyerissTables(result));
});
