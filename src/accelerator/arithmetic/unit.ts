/** The arithmetic units: matrix products on gpu.js, one compiled kernel per summation, cut into pieces of bounded size. */
import { GPU, type IKernelRunShortcut, Input, type KernelFunction } from "gpu.js";
import { half, KERNELS, narrowShift, PLAIN_ROWS, wideShift } from "./kernels.ts";
import type { Accumulators, Product, Summation } from "./product.ts";

/** gpu.js's modes that compute synchronously, as a TensorFlow.js kernel must; its WebGPU answers with promises. Fastest first. */
export const COMPUTE_MODES = ["headlessgl", "webgl2", "webgl", "webasm", "cpu"] as const;
export type ComputeMode = (typeof COMPUTE_MODES)[number];

/**
 * Elements of either operand per call. gpu.js keeps the memory of the last eight sizes of each kernel, and copies operands at every
 * call; 4 Mi elements (16 MiB) are a few milliseconds of copying and some hundreds of computing.
 */
const PIECE_ELEMENTS = 2 ** 22;

/** A kernel's numbers per cell; how many rows a cell covers; and what the numbers mean. */
interface Variant {
  readonly kernel: keyof typeof KERNELS;
  readonly rowsPerCell: number;
  readonly value: (cell: Float32Array, row: number) => number;
  readonly saturated: (cell: Float32Array) => number;
}

const single = {
  rowsPerCell: 1,
  value: (cell: Float32Array) => cell[0] as number,
  saturated: (cell: Float32Array) => cell[1] as number,
};

const VARIANTS: Readonly<Record<Summation["kind"], Variant>> = {
  plain: { kernel: "plain", rowsPerCell: PLAIN_ROWS, value: (cell, row) => cell[row] as number, saturated: () => 0 },
  half: { kernel: "halfSum", ...single },
  narrow: { kernel: "narrowSum", ...single },
  wide: {
    kernel: "wideSum",
    rowsPerCell: 1,
    value: (cell) => (cell[0] as number) * 65536 + (cell[1] as number),
    saturated: (cell) => cell[2] as number,
  },
};

export class ArithmeticUnit {
  readonly #gpu: GPU;
  readonly #compiled: Map<Summation["kind"], IKernelRunShortcut> = new Map();
  #mode: string;

  /** @throws what gpu.js throws where the mode is not supported */
  constructor(mode: ComputeMode) {
    this.#gpu = new GPU({ mode });
    this.#gpu.addFunction(half, { argumentTypes: { v: "Number" }, returnType: "Number" });
    this.#mode = mode;
  }

  /** The mode in which the last product ran; gpu.js changes it without an error where it has to. */
  get mode(): string {
    return this.#mode;
  }

  multiply(product: Product, summation: Summation): Accumulators {
    const { left, right, groups, rows, depth, columns } = product;
    const result: Sums = { values: new Float64Array(groups * rows * columns), saturated: 0 };
    if (result.values.length === 0 || depth === 0) return result;
    if (groups > 1) {
      this.#run(product, summation, result, { row: 0, column: 0, columns });
      return result;
    }
    const perPiece = Math.max(PLAIN_ROWS, Math.floor(PIECE_ELEMENTS / depth / PLAIN_ROWS) * PLAIN_ROWS);
    for (let column = 0; column < columns; column += perPiece) {
      const width = Math.min(perPiece, columns - column);
      const slice = width === columns ? right : cutColumns(right, depth, columns, column, width);
      for (let row = 0; row < rows; row += perPiece) {
        const height = Math.min(perPiece, rows - row);
        const piece = {
          left: left.subarray(row * depth, (row + height) * depth),
          right: slice,
          groups,
          rows: height,
          depth,
          columns: width,
        };
        this.#run(piece, summation, result, { row, column, columns });
      }
    }
    return result;
  }

  /** Frees the kernels and their memory. */
  async dispose(): Promise<void> {
    this.#compiled.clear();
    await this.#gpu.destroy();
  }

  #run(product: Product, summation: Summation, result: Sums, place: Place): void {
    const { groups, rows, depth, columns } = product;
    const { rowsPerCell, value, saturated } = VARIANTS[summation.kind];
    const padded = Math.ceil(rows / rowsPerCell) * rowsPerCell;
    const left = padded === rows ? product.left : padRows(product, padded);
    const kernel = this.#kernelFor(summation.kind);
    kernel.setOutput([columns, padded / rowsPerCell, groups]);
    const shift = shiftNumbers(summation);
    const cells = kernel(
      vector(left),
      vector(product.right),
      padded,
      depth,
      columns,
      ...shift,
    ) as unknown as Float32Array[][][];
    this.#mode = (kernel.kernel.constructor as unknown as { readonly mode: string }).mode;
    for (let group = 0; group < groups; group++) {
      for (let row = 0; row < rows; row++) {
        const line = cells[group]?.[Math.floor(row / rowsPerCell)] as Float32Array[];
        const start = (group * rows + place.row + row) * place.columns + place.column;
        for (let column = 0; column < columns; column++) {
          const cell = line[column] as Float32Array;
          // + 0 makes zero of minus zero.
          result.values[start + column] = value(cell, row % rowsPerCell) + 0;
          result.saturated += saturated(cell);
        }
      }
    }
  }

  #kernelFor(kind: Summation["kind"]): IKernelRunShortcut {
    const present = this.#compiled.get(kind);
    if (present !== undefined) return present;
    const settings = { dynamicOutput: true, dynamicArguments: true, loopMaxIterations: PIECE_ELEMENTS };
    const kernel: IKernelRunShortcut = this.#gpu.createKernel<KernelFunction>(
      KERNELS[VARIANTS[kind].kernel] as KernelFunction,
      settings,
    );
    this.#compiled.set(kind, kernel);
    return kernel;
  }
}

interface Sums {
  readonly values: Float64Array;
  saturated: number;
}

/** Where a piece stands in the result, and the result's row length. */
interface Place {
  readonly row: number;
  readonly column: number;
  readonly columns: number;
}

function shiftNumbers(summation: Summation): readonly number[] {
  if (summation.kind === "narrow") return narrowShift(summation.shift);
  return summation.kind === "wide" ? wideShift(summation.shift) : [];
}

function vector(values: Float32Array): Input {
  return new Input(values as unknown as number[], [values.length]);
}

function cutColumns(right: Float32Array, depth: number, columns: number, first: number, width: number): Float32Array {
  const slice = new Float32Array(depth * width);
  for (let k = 0; k < depth; k++) {
    slice.set(right.subarray(k * columns + first, k * columns + first + width), k * width);
  }
  return slice;
}

function padRows({ left, groups, rows, depth }: Product, padded: number): Float32Array {
  const result = new Float32Array(groups * padded * depth);
  for (let group = 0; group < groups; group++) {
    result.set(left.subarray(group * rows * depth, (group + 1) * rows * depth), group * padded * depth);
  }
  return result;
}
