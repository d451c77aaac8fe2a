/**
 * EIE, simulated cycle by cycle with its values: broadcaster, queues and processing elements advance one clock at a time until
 * nothing is left to send, queued or in a pipeline. On the data of the authors' own simulator the cycles are equal to its. That one
 * ends at the first cycle without a write once all lines are read, which here, where layers may be tiny, would lose the last entries.
 */
import { Broadcaster, type Negatives } from "./broadcast.ts";
import { invalidEie } from "./invalid.ts";
import { checkLayer, type EieLayer, rowsOf } from "./layer.ts";
import { checkMachine, EIE, type EieMachine } from "./machine.ts";
import { ProcessingElement } from "./processing-element.ts";

export interface EieOptions {
  /** Default: the chip of the paper, 64 elements with queues of 8. */
  readonly machine?: EieMachine;
  /**
   * Activations below 0. `skip` (default) is what the authors' simulator does, made for layers behind a ReLU; `broadcast` sends all
   * that are not 0, so that the result is the product for any input.
   */
  readonly negatives?: Negatives;
}

/** What happened in a run; counts of several runs add up. */
export interface EieCounts {
  readonly cycles: number;
  /** Entries multiplied, over all elements. */
  readonly work: number;
  /** Those among them with weight 0, fillers above all. */
  readonly zeroWork: number;
  readonly broadcasts: number;
  /** Cycles in which a broadcast waited because some queue was full. */
  readonly stalls: number;
  /** Lines of activations read. */
  readonly activationLines: number;
  readonly skippedNegatives: number;
  /** Columns looked up without an entry, over all elements: a cycle each. */
  readonly emptyColumns: number;
  /** Lines of the sparse-matrix SRAM read, over all elements. */
  readonly matrixLines: number;
  /** Sums that went from the adder straight back to it. */
  readonly bypasses: number;
}

export interface EieRun extends EieCounts {
  readonly outputs: Float32Array;
  /** Entries that each element multiplied. */
  readonly loads: readonly number[];
}

/**
 * Multiplies the layer's matrix with a vector.
 *
 * @param activations `[inputs]`, finite
 * @throws VdnnError `ERR_INVALID_OPTION` for a machine, layer or vector that cannot be used
 */
export function simulate(layer: EieLayer, activations: Float32Array, options: EieOptions = {}): EieRun {
  const { machine = EIE } = options;
  checkMachine(machine);
  checkLayer(layer, machine);
  return simulateChecked(layer, activations, { ...options, machine });
}

/** For many vectors through one layer: `checkMachine` and `checkLayer` have passed. */
export function simulateChecked(layer: EieLayer, activations: Float32Array, options: EieOptions = {}): EieRun {
  const { machine = EIE, negatives = "skip" } = options;
  checkActivations(layer, activations);
  const broadcaster = new Broadcaster(layer, activations, negatives);
  const elements = layer.pes.map(
    (memory, pe) => new ProcessingElement(memory, rowsOf(layer, pe), layer.codebook, machine.entriesPerLine),
  );
  // A ring of n registers holds n − 1: when it held n, full and empty would look the same.
  const capacity = machine.fifoRegisters - 1;
  let cycles = 0;
  /** Broadcasts that the slowest element has taken. */
  let leastTaken = 0;
  while (!(broadcaster.isDone && leastTaken === broadcaster.sent && elements.every(({ isIdle }) => isIdle))) {
    // What is sent in this cycle can be taken in the next, and room made in this cycle filled in the next.
    const { sent } = broadcaster;
    broadcaster.tick(sent - leastTaken >= capacity);
    leastTaken = Number.POSITIVE_INFINITY;
    for (const element of elements) {
      element.tick(broadcaster, sent);
      if (element.taken < leastTaken) leastTaken = element.taken;
    }
    cycles++;
  }
  return { cycles, ...tally(broadcaster, elements), outputs: gather(layer.outputs, elements) };
}

function tally(
  { sent, stalls, lines, skippedNegatives }: Broadcaster,
  elements: readonly ProcessingElement[],
): Omit<EieRun, "cycles" | "outputs"> {
  const sum = (of: (element: ProcessingElement) => number): number =>
    elements.reduce((total, element) => total + of(element), 0);
  return {
    work: sum(({ work }) => work),
    zeroWork: sum(({ zeroWork }) => zeroWork),
    broadcasts: sent,
    stalls,
    activationLines: lines,
    skippedNegatives,
    emptyColumns: sum(({ emptyColumns }) => emptyColumns),
    matrixLines: sum(({ lineReads }) => lineReads),
    bypasses: sum(({ bypasses }) => bypasses),
    loads: elements.map(({ work }) => work),
  };
}

function gather(outputs: number, elements: readonly ProcessingElement[]): Float32Array {
  return Float32Array.from({ length: outputs }, (_, row) => {
    const element = elements[row % elements.length] as ProcessingElement;
    return element.sums[Math.floor(row / elements.length)] as number;
  });
}

function checkActivations({ name, inputs }: EieLayer, activations: Float32Array): void {
  if (activations.length !== inputs) {
    throw invalidEie(name, `expected ${inputs} activations, got ${activations.length}`);
  }
  const bad = activations.findIndex((value) => !Number.isFinite(value));
  if (bad !== -1) throw invalidEie(name, `activation ${bad} is ${activations[bad]}; expected finite numbers`);
}

export function addCounts(a: EieCounts, b: EieCounts): EieCounts {
  return {
    cycles: a.cycles + b.cycles,
    work: a.work + b.work,
    zeroWork: a.zeroWork + b.zeroWork,
    broadcasts: a.broadcasts + b.broadcasts,
    stalls: a.stalls + b.stalls,
    activationLines: a.activationLines + b.activationLines,
    skippedNegatives: a.skippedNegatives + b.skippedNegatives,
    emptyColumns: a.emptyColumns + b.emptyColumns,
    matrixLines: a.matrixLines + b.matrixLines,
    bypasses: a.bypasses + b.bypasses,
  };
}

/** Cycles that perfect balance and no waiting would take: the paper's "theoretical". */
export function theoreticalCycles({ work, loads }: Pick<EieRun, "work" | "loads">): number {
  return work / loads.length;
}

/** Work over cycles times elements, 0 to 1. */
export function efficiencyOf({ work, cycles, loads }: EieRun): number {
  return cycles === 0 ? 0 : work / (cycles * loads.length);
}

/** Work of the most loaded element over the mean, 1 at best. */
export function loadBalanceOf({ work, loads }: EieRun): number {
  return work === 0 ? 1 : Math.max(...loads) / theoreticalCycles({ work, loads });
}
