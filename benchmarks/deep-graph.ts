/**
 * A deep network that nobody trained, for the planner to plan: convolution, normalization and relu per layer, a skip connection every
 * third layer, feature maps that shrink in stages, a backward pass, and the updates after it, as optimizers make them. Seeded: the same seed gives the same graph.
 */
import type { Graph, GraphKernel, GraphTensor, Role } from "../src/graph/graph.ts";

/** Kernels of one layer: 3 forward, 4 backward, 1 update. */
const KERNELS_PER_LAYER = 8;

export function deepGraph(kernelCount: number, random: () => number): Graph {
  const layers = Math.max(1, Math.round((kernelCount - 1) / KERNELS_PER_LAYER));
  const tensors: GraphTensor[] = [];
  const kernels: GraphKernel[] = [];
  const add = (bytes: number, role: Role): number => tensors.push({ bytes, role }) - 1;
  const run = (pass: GraphKernel["pass"], name: string, ms: number, inputs: number[], outputs: number[]): void => {
    kernels.push({ name, pass, ms, inputs, outputs });
  };
  const input = add(64e6, "input");
  const saved: {
    readonly weight: number;
    readonly x: number;
    readonly conv: number;
    readonly relu: number;
    readonly mb: number;
  }[] = [];
  let [x, skip] = [input, input];
  for (let i = 0; i < layers; i++) {
    // Four stages, each with half of the bytes of the one before; within a stage sizes vary.
    const mb = Math.round(64 * 2 ** -Math.floor((4 * i) / layers) * (0.5 + random()));
    const weight = add(1e5, "weight");
    const [conv, norm, relu] = [add(mb * 1e6, "activation"), add(mb * 1e6, "activation"), add(mb * 1e6, "activation")];
    const isJoin = i % 3 === 2;
    run("forward", "conv", mb * (0.05 + 0.2 * random()), [x, weight], [conv]);
    run("forward", "norm", mb * 0.02, [conv], [norm]);
    run("forward", "relu", mb * 0.01, isJoin ? [norm, skip] : [norm], [relu]);
    saved.push({ weight, x, conv, relu, mb });
    if (isJoin) skip = relu;
    x = relu;
  }
  const updates: { readonly weight: number; readonly dWeight: number }[] = [];
  let gradient = add(tensors[x]?.bytes ?? 0, "gradient");
  run("backward", "loss", 0.1, [x], [gradient]);
  for (const { weight, x: source, conv, relu, mb } of saved.toReversed()) {
    const [dRelu, dNorm] = [add(mb * 1e6, "gradient"), add(mb * 1e6, "gradient")];
    const dWeight = add(1e5, "gradient");
    const dSource = add(tensors[source]?.bytes ?? 0, "gradient");
    run("backward", "relu", mb * 0.02, [relu, gradient], [dRelu]);
    run("backward", "norm", mb * 0.03, [conv, dRelu], [dNorm]);
    run("backward", "conv weight", mb * 0.15, [source, dNorm], [dWeight]);
    run("backward", "conv input", mb * 0.15, [weight, dNorm], [dSource]);
    updates.push({ weight, dWeight });
    gradient = dSource;
  }
  for (const { weight, dWeight } of updates) run("update", "update", 0.01, [weight, dWeight], [weight]);
  return { schema: "vdnn-graph/1", name: `deep-${kernels.length}`, tensors, kernels };
}
