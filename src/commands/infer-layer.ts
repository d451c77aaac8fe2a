/** `vdnn infer --accelerator eie --layer DIR`: one stored layer, cycle by cycle. */
import { percent } from "./infer-text.ts";
import { type EieLayerReport, runLayerDirectory } from "../accelerator/eie/run-directory.ts";
import { EIE } from "../accelerator/eie/machine.ts";
import { topOf } from "../accelerator/infer/agreement.ts";
import { formatBytes } from "../units.ts";
import type { InferFlags } from "./infer-options.ts";

const TOP = 5;

/** @throws VdnnError `ERR_INVALID_MODEL` that names the file at fault, `ERR_INVALID_OPTION` */
export async function inferLayer(directory: string, { fifo = EIE.fifoRegisters, json }: InferFlags): Promise<string> {
  const report = await runLayerDirectory(directory, { fifo });
  return json === true ? `${JSON.stringify(report)}\n` : render(report, directory);
}

function render(report: EieLayerReport, directory: string): string {
  const { pes, fifo, inputs, bias, entries, outputs, cycles, us, work, zeroWork, storage } = report;
  const lightest = Math.min(...report.loads);
  const heaviest = Math.max(...report.loads);
  const rows: readonly (readonly [string, string])[] = [
    ["cycles", `${count(cycles)}, ${us.toFixed(3)} µs at ${EIE.clockMhz} MHz`],
    [
      "theoretical",
      `${report.theoreticalCycles.toFixed(1)} cycles, ${report.theoreticalUs.toFixed(3)} µs with perfect balance`,
    ],
    ["work", `${count(work)} of ${count(entries)} entries, ${count(zeroWork)} of them zero`],
    ["activations", `${count(report.broadcasts)} broadcast, ${count(report.skippedNegatives)} negative ones skipped`],
    ["efficiency", `${percent(report.efficiency)} of all cycles of all elements`],
    [
      "load balance",
      `${count(lightest)} to ${count(heaviest)} entries, heaviest ${report.loadBalance.toFixed(3)} x the mean`,
    ],
    ["stalls", `${count(report.stalls)} cycles for a full queue, ${count(report.emptyColumns)} empty columns`],
    ["memory", storage.fits ? `${formatBytes(storage.layerBytes)}, in SRAM` : storage.reasons.join("; ")],
    ["energy", `${report.energyUj.toFixed(3)} µJ: ${report.chipMw.toFixed(0)} mW published, times the time`],
    [
      "outputs",
      topOf(outputs, TOP)
        .map(({ index, value }) => `${index}: ${value.toFixed(4)}`)
        .join("  "),
    ],
    ["expected", report.maxError === null ? "none stored" : `max abs difference ${report.maxError.toExponential(1)}`],
  ];
  return [
    `${directory}: ${inputs} inputs${bias ? " and a bias" : ""}, ${outputs.length} outputs, on EIE with ${pes} elements, queues of ${fifo} registers`,
    "",
    ...rows.map(([name, text]) => `${name.padEnd(13)} ${text}`),
    "",
    `Simulated cycle by cycle with its values. The largest ${TOP} outputs are shown; --json has all of them.`,
    "",
  ].join("\n");
}

function count(value: number): string {
  return value.toLocaleString("en-US");
}
