/** `vdnn-infer/1`: everything that `vdnn infer` knows of a network on an accelerator. */
import type { CostDetails } from "../accelerator/infer/model.ts";
import type { LayerResult } from "../accelerator/infer/network-cost.ts";
import { averageMw, energySum } from "../accelerator/infer/power.ts";
import type { InferFacts } from "./infer.ts";

export function inferJson(facts: InferFacts): string {
  const { subject, machine, settings, batch, model, run, stated, cost } = facts;
  const { energy, precision, accumulate } = settings;
  return `${JSON.stringify({
    schema: "vdnn-infer/1",
    source: "simulated",
    model: subject.name,
    origin: subject.origin,
    codeBits: subject.codeBits,
    batch,
    accelerator: machine.name,
    about: model.about,
    hardware: model.hardware,
    precision,
    accumulate,
    energy,
    computed: run === null ? null : computed(run),
    statedDensities: run === null ? stated : null,
    layers: cost.layers.map((layer) => layerJson(layer)),
    host: cost.host,
    totals: {
      ...cost.totals,
      totalPj: energySum(cost.totals),
      averageMw: averageMw(cost.totals),
    },
    notes: model.notes,
  })}\n`;
}

function computed(run: NonNullable<InferFacts["run"]>): object {
  const { mode, refusedModes, reference, agreement, outputs, outputShape, outputCount, wallMs, saturated } = run;
  const values = Array.from(outputs);
  return { mode, refusedModes, wallMs, reference, agreement, saturated, outputCount, outputShape, outputs: values };
}

function layerJson({ layer, cost, details, runs }: LayerResult): object {
  const { layer: shape, ...costs } = cost;
  return {
    name: shape.name,
    kernel: layer.ran?.kernel ?? null,
    runs,
    shape,
    densities: layer.densities,
    ...costs,
    totalPj: energySum(cost),
    averageMw: averageMw(cost),
    zeroMacs: layer.ran?.macs ?? null,
    saturated: layer.ran?.saturated ?? null,
    ...detailsJson(details),
  };
}

function detailsJson(details: CostDetails): object {
  switch (details.kind) {
    case "eyeriss":
      return { mapping: details.mapping, mappingOrigin: details.origin };
    case "eie": {
      const { kind: _, ...eie } = details;
      return { eie };
    }
    case "counted":
      return {};
  }
  return details satisfies never;
}
