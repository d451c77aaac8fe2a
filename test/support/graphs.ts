/** Random training iterations for property tests: a chain with skips, forward and backward, weights updated in place. */
import fc from "fast-check";
import type { Graph, GraphKernel, GraphTensor } from "../../src/graph/graph.ts";

export interface ChainShape {
  readonly bytes: readonly number[];
  /** For each layer, how far back it also reads; 0 for no skip. */
  readonly skips: readonly number[];
  readonly convolutions: readonly boolean[];
  readonly workspace: readonly number[];
  readonly hasState: boolean;
}

export const chainShapes: fc.Arbitrary<ChainShape> = fc.integer({ min: 1, max: 12 }).chain((n) =>
  fc.record({
    bytes: fc.array(fc.integer({ min: 0, max: 200_000 }), { minLength: n, maxLength: n }),
    skips: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: n, maxLength: n }),
    convolutions: fc.array(fc.boolean(), { minLength: n, maxLength: n }),
    workspace: fc.array(fc.integer({ min: 0, max: 50_000 }), { minLength: n, maxLength: n }),
    hasState: fc.boolean(),
  }),
);

/** Layer i: y_i = f(y_{i-1}, w_i), with an intermediate that only the forward pass reads; its gradient reads y_{i-1} and y_i. */
export function chainGraph({ bytes, skips, convolutions, workspace, hasState }: ChainShape): Graph {
  const tensors: GraphTensor[] = [];
  const kernels: GraphKernel[] = [];
  const add = (tensor: GraphTensor): number => tensors.push(tensor) - 1;
  const input = add({ bytes: 64_000, role: "input" });
  const maps = [input];
  const weights: number[] = [];
  const gradients: number[] = [];
  bytes.forEach((size, i) => {
    const weight = add({ bytes: 1000, role: "weight" });
    const before = add({ bytes: size, role: "activation" });
    const after = add({ bytes: size, role: "activation" });
    const layer = `layer${i}`;
    const skip = skips[i] ?? 0;
    const reads = [...new Set([maps[i] ?? input, maps[Math.max(0, i - skip)] ?? input, weight])];
    const name = convolutions[i] === true ? "Conv2D" : "MatMul";
    kernels.push({
      name,
      layer,
      pass: "forward",
      ms: 2,
      inputs: reads,
      outputs: [before],
      workspaceBytes: workspace[i] ?? 0,
    });
    kernels.push({ name: "Relu", layer, pass: "forward", ms: 0.5, inputs: [before], outputs: [after] });
    weights.push(weight);
    maps.push(after);
  });
  const loss = add({ bytes: 4, role: "output" });
  kernels.push({
    name: "Mean",
    layer: "loss",
    pass: "forward",
    ms: 0.1,
    inputs: [maps.at(-1) ?? input],
    outputs: [loss],
  });
  let upstream = add({ bytes: bytes.at(-1) ?? 4, role: "gradient" });
  kernels.push({ name: "Fill", layer: "loss", pass: "backward", ms: 0.1, inputs: [], outputs: [upstream] });
  for (let i = bytes.length - 1; i >= 0; i--) {
    const dx = add({ bytes: i === 0 ? 64_000 : (bytes[i - 1] ?? 4), role: "gradient" });
    const dw = add({ bytes: 1000, role: "output" });
    const [x = input, y = input, w = 0] = [maps[i], maps[i + 1], weights[i]];
    const layer = `layer${i}`;
    kernels.push({
      name: "Conv2DBackpropFilter",
      layer,
      pass: "backward",
      ms: 2,
      inputs: [...new Set([x, y, upstream])],
      outputs: [dw],
    });
    kernels.push({ name: "Conv2DBackpropInput", layer, pass: "backward", ms: 2, inputs: [w, upstream], outputs: [dx] });
    gradients.push(dw);
    upstream = dx;
  }
  weights.forEach((weight, i) => {
    const gradient = gradients[weights.length - 1 - i] ?? 0;
    const state = hasState ? [add({ bytes: 40_000, role: "state" })] : [];
    kernels.push({
      name: "Add",
      layer: `layer${i}`,
      pass: "update",
      ms: 0.1,
      inputs: [weight, gradient, ...state],
      outputs: [weight, ...state],
    });
  });
  return { schema: "vdnn-graph/1", name: "random chain", tensors, kernels };
}
