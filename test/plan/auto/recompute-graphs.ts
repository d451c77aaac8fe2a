/** Random iterations with in-place writes, several outputs, frozen kernels and weights written in the middle, and what they mean. */
import fc from "fast-check";
import type { Graph, GraphKernel, GraphTensor, Role } from "../../../src/graph/graph.ts";
import { existsBefore } from "../../../src/graph/lifetimes.ts";
import type { PlanStep } from "../../../src/plan/plan.ts";

interface KernelShape {
  readonly ms: number;
  /** Distances back in the list of tensors written so far. */
  readonly reads: readonly number[];
  readonly fresh: number;
  /** Distance back of a tensor to update in place; 0 for none. */
  readonly updates: number;
  readonly readsUpdated: boolean;
  readonly weight: number;
  readonly writesWeight: boolean;
  readonly frozen: boolean;
  readonly bytes: number;
  readonly workspace: number;
}

const kernelShape: fc.Arbitrary<KernelShape> = fc.record({
  ms: fc.integer({ min: 0, max: 20 }),
  reads: fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 3 }),
  fresh: fc.integer({ min: 0, max: 2 }),
  updates: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: 1, max: 4 }) }),
  readsUpdated: fc.boolean(),
  weight: fc.integer({ min: 0, max: 2 }),
  writesWeight: fc.integer({ min: 0, max: 9 }).map((x) => x === 0),
  frozen: fc.integer({ min: 0, max: 9 }).map((x) => x === 0),
  bytes: fc.integer({ min: 0, max: 50 }),
  workspace: fc.integer({ min: 0, max: 10 }),
});

/** A first half of random kernels, and a second half that reads the first half's tensors in reverse. */
export const randomGraphs: fc.Arbitrary<Graph> = fc
  .array(kernelShape, { minLength: 1, maxLength: 24 })
  .map((shapes) => build(shapes));

function build(shapes: readonly KernelShape[]): Graph {
  const tensors: GraphTensor[] = [];
  const kernels: GraphKernel[] = [];
  const add = (bytes: number, role: Role): number => tensors.push({ bytes, role }) - 1;
  const weights = [add(7, "weight"), add(9, "weight"), add(5, "input")];
  const written: number[] = [];
  shapes.forEach((shape, i) => {
    const inputs = shape.reads.flatMap((d) => written.at(-d) ?? []);
    const outputs: number[] = [];
    for (let f = 0; f < shape.fresh; f++) outputs.push(add(shape.bytes + f, i % 7 === 6 ? "output" : "activation"));
    const updated = shape.updates > 0 ? written.at(-shape.updates) : undefined;
    if (updated !== undefined) {
      outputs.push(updated);
      if (shape.readsUpdated) inputs.push(updated);
    }
    const weight = weights[shape.weight] ?? 0;
    inputs.push(weight);
    if (shape.writesWeight && shape.weight < 2) outputs.push(weight);
    kernels.push({
      name: `f${i}`,
      pass: "forward",
      ms: shape.ms,
      inputs: [...new Set(inputs)],
      outputs: [...new Set(outputs)],
      workspaceBytes: shape.workspace,
      ...(shape.frozen ? { recomputable: false } : {}),
    });
    written.push(...outputs.filter((t) => !existsBefore(tensors[t]?.role ?? "weight")));
  });
  [...written].toReversed().forEach((t, i) => {
    const before = kernels.at(-1)?.outputs[0];
    const reads = before === undefined ? [t] : [t, before];
    const gradient = add(10, "gradient");
    kernels.push({ name: `b${i}`, pass: "backward", ms: 2, inputs: [...new Set(reads)], outputs: [gradient] });
  });
  weights.slice(0, 2).forEach((w) => {
    kernels.push({ name: "step", pass: "update", ms: 1, inputs: [w, tensors.length - 1], outputs: [w] });
  });
  return { schema: "vdnn-graph/1", name: "random", tensors, kernels };
}

/**
 * Runs steps on symbols: a tensor's value is the kernel that wrote it with the values it read (and the old value, in place).
 * Throws where a kernel finds an input absent; returns what each first run read, and every tensor's value at the end.
 */
export function interpret(graph: Graph, steps: readonly PlanStep[]): { reads: string[]; end: (string | undefined)[] } {
  const ids = new Map<string, string>();
  const name = (value: string): string => {
    const known = ids.get(value) ?? `v${ids.size}`;
    ids.set(value, known);
    return known;
  };
  const value: (string | undefined)[] = graph.tensors.map(({ role }, t) =>
    existsBefore(role) ? name(`t${t}`) : undefined,
  );
  const reads: string[] = [];
  const first = new Map<number, string>();
  for (const step of steps) {
    if (step.kind === "free") value[step.tensor] = undefined;
    if (step.kind !== "compute" && step.kind !== "recompute") continue;
    const kernel = graph.kernels[step.kernel];
    if (kernel === undefined) throw new Error("no such kernel");
    const inputs = kernel.inputs.map((t) => {
      if (value[t] === undefined) throw new Error(`kernel ${step.kernel} reads absent tensor ${t}`);
      return value[t];
    });
    const old = kernel.outputs.map((t) => value[t] ?? "-");
    const signature = name(`${step.kernel}(${inputs.join()};${old.join()})`);
    if (step.kind === "compute") {
      first.set(step.kernel, signature);
      reads.push(inputs.join());
    } else if (first.get(step.kernel) !== signature) {
      throw new Error(`kernel ${step.kernel} was re-run on other values`);
    }
    for (const t of kernel.outputs) value[t] = name(`${signature}.${t}`);
  }
  return { reads, end: value };
}
