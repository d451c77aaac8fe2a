/** Small layers for tests, from weights written out or drawn. */
import fc from "fast-check";
import { encodeLayer } from "../../../src/accelerator/eie/encode.ts";
import type { EieLayer } from "../../../src/accelerator/eie/layer.ts";
import { EIE, type EieMachine } from "../../../src/accelerator/eie/machine.ts";

export const CODEBOOK: Float32Array = Float32Array.from({ length: 16 }, (_, code) => code / 4);

export function machineOf(pes: number, fifoRegisters = 8): EieMachine {
  return { ...EIE, pes, fifoRegisters };
}

/** `columns[j][i]` is the code of row i in column j. */
export function layerOf(
  columns: readonly (readonly number[])[],
  pes = 1,
  bias: readonly number[] | null = null,
): EieLayer {
  const outputs = columns[0]?.length ?? 0;
  return encodeLayer(
    {
      name: "test",
      inputs: columns.length,
      outputs,
      codes: Uint8Array.from(columns.flat()),
      biasCodes: bias === null ? null : Uint8Array.from(bias),
      codebook: CODEBOOK,
    },
    machineOf(pes),
  );
}

export interface Problem {
  readonly layer: EieLayer;
  readonly columns: readonly (readonly number[])[];
  readonly bias: readonly number[] | null;
  readonly activations: Float32Array;
  readonly machine: EieMachine;
}

/** Sparse enough that with few elements gaps need fillers. */
export const problems: fc.Arbitrary<Problem> = fc
  .record({
    inputs: fc.integer({ min: 1, max: 30 }),
    outputs: fc.integer({ min: 1, max: 80 }),
    pes: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 64 })),
    fifo: fc.integer({ min: 2, max: 9 }),
    share: fc.constantFrom(2, 5, 20, 60),
    hasBias: fc.boolean(),
  })
  .chain(({ inputs, outputs, pes, fifo, share, hasBias }) => {
    const code = fc.nat({ max: 15 * share }).map((n) => (n <= 15 ? n : 0));
    const column = fc.array(code, { minLength: outputs, maxLength: outputs });
    const activation = fc.oneof(fc.constant(0), fc.float({ min: 0, max: 2, noNaN: true }));
    return fc
      .record({
        columns: fc.array(column, { minLength: inputs, maxLength: inputs }),
        bias: hasBias ? column : fc.constant(null),
        activations: fc.array(activation, { minLength: inputs, maxLength: inputs }),
      })
      .map(({ columns, bias, activations }) => ({
        layer: layerOf(columns, pes, bias),
        columns,
        bias,
        activations: Float32Array.from(activations),
        machine: machineOf(pes, fifo),
      }));
  });

/** Columns in order, each product and each sum rounded to float32: nothing of EIE's layout. */
export function denseProduct({ columns, bias, activations }: Problem): Float32Array {
  const sums = new Float32Array(columns[0]?.length ?? 0);
  const add = (column: readonly number[], activation: number): void => {
    column.forEach((code, row) => {
      const product = Math.fround((CODEBOOK[code] ?? 0) * activation);
      sums[row] = Math.fround((sums[row] ?? 0) + product);
    });
  };
  columns.forEach((column, j) => add(column, activations[j] ?? 0));
  if (bias !== null) add(bias, 1);
  return sums;
}
