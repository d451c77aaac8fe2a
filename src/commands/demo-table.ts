/** The table of `vdnn demo` and the notes below it. */
import { type Column, renderTable } from "../report/table.ts";
import { formatBytes, formatMs, MIB } from "../units.ts";
import type { DemoFacts } from "./demo.ts";
import type { TrainingResult } from "./training.ts";

export interface DemoRun {
  readonly policy: string;
  readonly budgetBytes: number | null;
  readonly result: TrainingResult;
  readonly stockMs: number;
  readonly oracleMs: number;
  readonly identical: boolean;
}

export interface DemoFailure {
  readonly policy: string;
  readonly budgetBytes: number | null;
  readonly failure: string;
}

export type DemoRow = DemoRun | DemoFailure;

export function renderDemo(facts: DemoFacts, rows: readonly DemoRow[]): string {
  return [...heading(facts), "", ...renderTable(demoColumns(facts), rows), "", ...notes(facts, rows), ""].join("\n");
}

export function demoColumns({ stock }: DemoFacts): Column<DemoRow>[] {
  const stockPeak = stock.steady.peakDeviceBytes;
  const ran = (cell: (run: DemoRun) => string) => (row: DemoRow) => ("failure" in row ? "-" : cell(row));
  return [
    { title: "policy", align: "left", cell: ({ policy }) => policy },
    { title: "budget MiB", cell: ({ budgetBytes }) => (budgetBytes === null ? "none" : mib(budgetBytes)) },
    { title: "peak MiB: first", cell: ran(({ result }) => mib(result.report.iterations[0]?.peakDeviceBytes ?? 0)) },
    { title: "steady", cell: ran(({ result }) => mib(result.steady.peakDeviceBytes)) },
    {
      title: "of stock",
      cell: ran(({ result }) => `${((result.steady.peakDeviceBytes / stockPeak) * 100).toFixed(1)}%`),
    },
    { title: "host MiB", cell: ran(({ result }) => mib(result.report.peakHostBytes)) },
    { title: "moved MiB/step", cell: ran(({ result }) => mib(result.steady.movedBytes)) },
    { title: "stall ms", cell: ran(({ result }) => result.steady.stallMs.toFixed(1)) },
    { title: "step ms", cell: ran(({ result }) => result.steady.medianMs.toFixed(0)) },
    { title: "x stock", cell: ran(({ result, stockMs }) => (result.steady.medianMs / stockMs).toFixed(2)) },
    { title: "x oracle", cell: ran(({ result, oracleMs }) => (result.steady.medianMs / oracleMs).toFixed(2)) },
    { title: "identical", cell: (row) => ("failure" in row ? "DOES NOT FIT" : row.identical ? "yes" : "NO") },
  ];
}

export function heading({ training, backend, stock }: DemoFacts): string[] {
  const { network, batchSize, steps, optimizer } = training;
  return [
    `${network.name}: ${stock.layers} layers, ${stock.parameters} weights, batch ${batchSize}, ` +
      `${steps} steps of ${optimizer} each, backend ${backend}`,
  ];
}

export function notes(facts: DemoFacts, rows: readonly DemoRow[]): string[] {
  const { backend, budgetBytes, budgetShare, stock, stockAgain, seconds } = facts;
  const [first, last] = [stock.steady.medianMs, stockAgain.steady.medianMs];
  const single = [stock, stockAgain].flatMap(({ steps }) => steps.slice(1).map(({ wallMs }) => wallMs));
  const plans = rows.flatMap((row) => ("failure" in row ? [] : row.result.report.plans.map(({ policy }) => policy)));
  return [
    `Everything is measured, here, on backend ${backend}; ${seconds.toFixed(0)} s in all. Device memory is counted exactly, per buffer:`,
    "weights, optimizer state, activations, gradients and temporaries.",
    `The budget is ${(budgetShare * 100).toFixed(0)}% of stock's peak (${formatBytes(budgetBytes)}). First: the step that is recorded, before there is a plan.`,
    "Steady: all steps after it. Step times are medians of those, with planning and reading the loss; stall and moved likewise.",
    `Stock ran at the start and at the end, medians ${formatMs(first)} and ${formatMs(last)}; its single steps took ` +
      `${formatMs(Math.min(...single))} to ${formatMs(Math.max(...single))}. Differences within that mean nothing.`,
    "Oracle: the faster of stock and liveness, both without a budget. Identical: all losses and weights, bit for bit, against stock.",
    `Plans: ${[...new Set(plans)].join("; ")}.`,
    ...(backend === "wasm"
      ? [
          "This backend lacks kernels that training needs; vdnn's stand in for them under stock as well, and so does its faster",
          "Conv2DBackpropInput.",
        ]
      : []),
    ...rows.flatMap((row) => ("failure" in row ? [`${row.policy}: ${row.failure}`] : [])),
  ];
}

function mib(bytes: number): string {
  return (bytes / MIB).toFixed(1);
}
