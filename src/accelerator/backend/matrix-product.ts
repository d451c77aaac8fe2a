/**
 * Matrix products on the accelerator. The right operand plays the weights, as in a dense layer; where both are activations
 * (attention), each matrix of the batch is a group of its own.
 */
import type { TensorInfo } from "../../runtime/engine.ts";
import type { Rectifier } from "../arithmetic/write-back.ts";
import { matrixShape } from "../layer.ts";
import { beginLayer, finishLayer, type LayerSums } from "./layer-run.ts";
import { addMacs, countMacs } from "./mac-counts.ts";
import { floatsOf, type Machine } from "./machine.ts";
import { PatchCounter, transposed } from "./patches.ts";

export interface MatrixCall {
  readonly kernel: string;
  readonly a: TensorInfo;
  readonly b: TensorInfo;
  readonly bias: TensorInfo | null;
  readonly rectifier: Rectifier;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

/** a [..., rows, depth] times b [..., depth, columns], each given transposed or not, the batch the same or 1. */
export function multiplyMatrices(machine: Machine, call: MatrixCall): TensorInfo {
  const { tf, unit } = machine;
  const a = matrices(machine, call.a, call.transposeA);
  const b = matrices(machine, call.b, call.transposeB);
  const batchShape = tf.broadcast_util.assertAndGetBroadcastShape(call.a.shape.slice(0, -2), call.b.shape.slice(0, -2));
  const shared = b.count === 1;
  // One right operand for all: the batch is rows of the same product.
  const groups = shared ? 1 : batchShape.reduce((count, size) => count * size, 1);
  const rows = shared ? a.count * a.rows : a.rows;
  const [depth, columns] = [a.columns, b.columns];
  const left = shared || a.count === groups ? a.values : repeated(a.values, groups);
  const run = beginLayer(machine, call.kernel, left, b.values, { depth, filters: columns });
  const { codes } = run.inputs;
  const product = unit.multiply({ left: codes, right: run.weights.codes, groups, rows, depth, columns }, run.summation);
  const sums: LayerSums = { ...product, macs: macsOfGroups(codes, run.weights.codes, groups, depth) };
  const bias = call.bias === null ? null : floatsOf(machine, call.bias);
  const shape = matrixShape(rows, depth, columns * groups, groups);
  const values = finishLayer(machine, run, call.kernel, sums, bias, call.rectifier, shape);
  return machine.backend.makeTensorInfo([...batchShape, a.rows, columns], "float32", values);
}

interface Matrices {
  /** [count, rows, columns] */
  readonly values: Float32Array;
  readonly count: number;
  readonly rows: number;
  readonly columns: number;
}

function matrices(machine: Machine, info: TensorInfo, transpose: boolean): Matrices {
  const values = floatsOf(machine, info);
  const [rows, columns] = info.shape.slice(-2) as [number, number];
  const count = info.shape.slice(0, -2).reduce((product, size) => product * size, 1);
  if (!transpose) return { values, count, rows, columns };
  const turned = new Float32Array(values.length);
  const size = rows * columns;
  for (let at = 0; at < values.length; at += size)
    turned.set(transposed(values.subarray(at, at + size), rows, columns), at);
  return { values: turned, count, rows: columns, columns: rows };
}

function repeated(values: Float32Array, times: number): Float32Array {
  const result = new Float32Array(values.length * times);
  for (let copy = 0; copy < times; copy++) result.set(values, copy * values.length);
  return result;
}

function macsOfGroups(left: Float32Array, right: Float32Array, groups: number, depth: number): LayerSums["macs"] {
  const perGroup = Array.from({ length: groups }, (_, group) => {
    const counter = new PatchCounter(depth);
    counter.addValues(partOf(left, group, groups));
    return countMacs(counter, partOf(right, group, groups));
  });
  return perGroup.reduce(addMacs);
}

function partOf(values: Float32Array, group: number, groups: number): Float32Array {
  const size = values.length / groups;
  return values.subarray(group * size, (group + 1) * size);
}
