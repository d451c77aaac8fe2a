/** `vdnn infer --accelerator eie --layer DIR`: one stored layer through the machine, and what is to be told about it. */
import type { Negatives } from "./broadcast.ts";
import { checkMachine, chipMwOf, EIE, type EieMachine, msOf, PE_MW } from "./machine.ts";
import { entriesOf } from "./layer.ts";
import { readLayerDirectory } from "./read-directory.ts";
import { efficiencyOf, loadBalanceOf, simulate, theoreticalCycles } from "./simulate.ts";
import { type Storage, storageOf } from "./storage.ts";

export interface RunDirectoryOptions {
  /** Registers of the activation queues, 2 or more. Default 8, as on the chip. */
  readonly fifo?: number;
  /** Rows of the matrix. Default: up to the last row with an entry. */
  readonly outputs?: number;
  /** Default `skip`, see `EieOptions`. */
  readonly negatives?: Negatives;
  /** Default `EIE`; its number of elements is that of the directory. */
  readonly machine?: EieMachine;
}

export interface EieLayerReport {
  readonly schema: "vdnn-eie-layer/1";
  readonly layer: string;
  readonly pes: number;
  readonly fifo: number;
  readonly inputs: number;
  readonly bias: boolean;
  /** Stored, and of the columns whose activation was broadcast; fillers included. */
  readonly entries: number;
  readonly work: number;
  readonly zeroWork: number;
  readonly broadcasts: number;
  readonly skippedNegatives: number;
  readonly cycles: number;
  readonly us: number;
  /** With perfect balance and no waiting: work over elements. */
  readonly theoreticalCycles: number;
  readonly theoreticalUs: number;
  /** Work over cycles times elements, 0 to 1. */
  readonly efficiency: number;
  /** Most loaded element over the mean, 1 at best, and the load of each, in entries. */
  readonly loadBalance: number;
  readonly loads: readonly number[];
  readonly stalls: number;
  readonly emptyColumns: number;
  readonly matrixLines: number;
  readonly storage: Storage;
  /** Published power, and what it makes over the time. */
  readonly chipMw: number;
  readonly energyUj: number;
  readonly energyUjByPart: Readonly<Record<keyof typeof PE_MW, number>>;
  readonly outputs: readonly number[];
  readonly argmax: number;
  /** Largest absolute difference from the directory's expected outputs; null where it has none. */
  readonly maxError: number | null;
}

/** @throws VdnnError `ERR_INVALID_MODEL` that names the file at fault; `ERR_INVALID_OPTION`, also for a queue of 1 register */
export async function runLayerDirectory(directory: string, options: RunDirectoryOptions = {}): Promise<EieLayerReport> {
  const { machine: base = EIE, fifo = base.fifoRegisters, outputs: rows, negatives = "skip" } = options;
  checkMachine({ ...base, fifoRegisters: fifo });
  const read = rows === undefined ? { machine: base } : { machine: base, outputs: rows };
  const { layer, activations, expected } = await readLayerDirectory(directory, read);
  const machine: EieMachine = { ...base, fifoRegisters: fifo, pes: layer.pes.length };
  const run = simulate(layer, activations, { machine, negatives });
  const { outputs, loads, cycles, work, zeroWork, broadcasts, skippedNegatives } = run;
  const { stalls, emptyColumns, matrixLines } = run;
  const ms = msOf(machine, cycles);
  const perfect = theoreticalCycles(run);
  const partUj = (mw: number): number => mw * machine.pes * ms;
  return {
    schema: "vdnn-eie-layer/1",
    layer: layer.name,
    pes: machine.pes,
    fifo,
    inputs: layer.inputs,
    bias: layer.bias,
    entries: entriesOf(layer),
    work,
    zeroWork,
    broadcasts,
    skippedNegatives,
    cycles,
    us: ms * 1e3,
    theoreticalCycles: perfect,
    theoreticalUs: msOf(machine, perfect) * 1e3,
    efficiency: efficiencyOf(run),
    loadBalance: loadBalanceOf(run),
    loads,
    stalls,
    emptyColumns,
    matrixLines,
    storage: storageOf(layer, machine),
    chipMw: chipMwOf(machine),
    energyUj: chipMwOf(machine) * ms,
    energyUjByPart: {
      activationQueue: partUj(PE_MW.activationQueue),
      pointerRead: partUj(PE_MW.pointerRead),
      matrixRead: partUj(PE_MW.matrixRead),
      arithmetic: partUj(PE_MW.arithmetic),
      activationAccess: partUj(PE_MW.activationAccess),
    },
    outputs: Array.from(outputs),
    argmax: outputs.reduce((best, value, at) => (value > (outputs[best] as number) ? at : best), 0),
    maxError: expected === null ? null : maxDifference(outputs, expected),
  };
}

function maxDifference(a: Float32Array, b: Float32Array): number {
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] as number))), 0);
}
