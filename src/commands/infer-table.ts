/** What `vdnn infer` prints: two tables, the totals, what the host is left with, the outputs, and what the numbers mean. */
import { renderTable } from "../report/table.ts";
import { formatBytes } from "../units.ts";
import { energyColumns, type Row, timeColumns } from "./infer-columns.ts";
import { hostLines } from "./infer-host.ts";
import { outputLines } from "./infer-outputs.ts";
import { digits, percent, wrapped } from "./infer-text.ts";
import type { InferFacts } from "./infer.ts";

export function renderInference(facts: InferFacts): string {
  const { machine, cost } = facts;
  const rows = rowsOf(facts);
  return [
    ...heading(facts),
    "",
    ...(rows.length === 0 ? ["no layer runs on it"] : renderTable(timeColumns(machine.name), rows)),
    "",
    ...(rows.length === 0 ? [] : [...renderTable(energyColumns(cost.totals), rows), ""]),
    ...[...totalLines(facts), ...memoryLines(facts)].flatMap(wrapped),
    ...hostLines(cost.host),
    ...outputLines(facts).flatMap(wrapped),
    "",
    ...caption(facts).flatMap(wrapped),
    "",
  ].join("\n");
}

export function rowsOf({ cost: { layers, totals } }: InferFacts): Row[] {
  const first = layers[0];
  if (first === undefined) return [];
  const cycles = layers.reduce((sum, { cost }) => sum + cost.cycles, 0);
  const busy = layers.reduce((sum, { cost }) => sum + cost.utilization * cost.cycles, 0);
  const { framesPerSecond: _, framesPerJoule: __, dramWordsPerMac: ___, ...sums } = totals;
  const total = {
    ...sums,
    layer: { ...first.cost.layer, name: "total" },
    cycles,
    utilization: cycles === 0 ? 0 : busy / cycles,
    activePes: 0,
  };
  return [...layers.map((result) => ({ cost: result.cost, result })), { cost: total, result: null }];
}

export function heading({ subject, machine, batch, settings, model, run, stated }: InferFacts): string[] {
  const { precision, accumulate, energy } = settings;
  const zeros =
    run === null
      ? `from shapes alone, with ${percent(stated.activations)} of activations not zero as stated`
      : "computed, with the zeros that were there";
  return [
    `${subject.name} on ${machine.name}, batch ${batch}: ${zeros}`,
    `${model.about}; ${precision}, sums in ${accumulate}; energies ${energy.name}`,
  ];
}

export function totalLines({ cost: { totals, layers, host } }: InferFacts): string[] {
  if (layers.length === 0) return [];
  const { framesPerSecond, framesPerJoule, totalMs, processingMs, dramWordsPerMac } = totals;
  const isWhole = host.every(({ reason }) => reason === null);
  return [
    `${digits(framesPerSecond)} frames/s (${digits(totalMs)} ms, of which ${digits(processingMs)} ms are processing), ` +
      `${digits(framesPerJoule)} frames/J, ${digits(dramWordsPerMac)} DRAM words of 16 bits per MAC` +
      (isWhole ? "" : "; of the layers above alone, without those on the host"),
  ];
}

/** EIE keeps a layer in SRAM; whether it can keep the network there is another question. */
export function memoryLines({ cost: { layers }, model: { hardware } }: InferFacts): string[] {
  const storages = layers.flatMap(({ details }) => (details.kind === "eie" ? [details.storage] : []));
  if (storages.length === 0 || !("matrixBytes" in hardware && "pes" in hardware)) return [];
  const capacity = Number(hardware.matrixBytes) * Number(hardware.pes);
  const needed = storages.reduce((sum, { layerBytes }) => sum + layerBytes, 0);
  const apart = layers.flatMap(({ cost, details }) =>
    details.kind === "eie" && !details.storage.fits
      ? [`${cost.layer.name} (${details.storage.reasons.join("; ")})`]
      : [],
  );
  return [
    `all matrices take ${formatBytes(needed)} of the ${formatBytes(capacity)} of SRAM for them` +
      (needed <= capacity
        ? "; they are loaded once, which is not counted"
        : "; loading them again for every frame is not counted, but for layers that do not fit by themselves"),
    ...(apart.length === 0 ? [] : [`from DRAM for every product, as they do not fit: ${apart.join(", ")}`]),
  ];
}

export function caption({ model, run }: InferFacts): string[] {
  return [
    "Costs are modelled, nothing is measured. ms: with what of DRAM transfers is not hidden; use: MACs done over cycles times " +
      "elements; gated: a cycle without arithmetic, skipped: neither; mW: energy by the table over ms, DRAM included." +
      (run === null ? "" : " Densities are those of values as the accelerator held them."),
    ...model.notes,
  ];
}
