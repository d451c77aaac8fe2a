/**
 * How much workspace a convolution can have without pushing out what it needs itself: the budget, less weights and their
 * gradients, less the kernel's own operands and the gradients that wait around it. A policy that plans copies tensor by tensor can
 * give p that much, and run it on parts of the batch (Note [Workspace of p]), where vDNN's paper has to give p up.
 */
import type { TensorIndex } from "../graph/graph.ts";
import { existsBefore } from "../graph/lifetimes.ts";
import type { WorkGraph } from "./work.ts";

/** Bytes of workspace for each kernel; 0 where its operands alone take the budget. */
export function roomForWorkspace({ tensors, kernels, weightGradients }: WorkGraph, deviceBytes: number): Float64Array {
  const stays = new Set<TensorIndex>(weightGradients);
  tensors.forEach(({ role }, t) => {
    if (existsBefore(role) && role !== "input") stays.add(t);
  });
  let always = 0;
  for (const t of stays) always += tensors[t]?.bytes ?? 0;
  const lastUse = new Int32Array(tensors.length).fill(-1);
  kernels.forEach(({ inputs, outputs }, k) => {
    for (const t of [...inputs, ...outputs]) lastUse[t] = k;
  });
  const waiting = new Set<TensorIndex>();
  const room = new Float64Array(kernels.length);
  kernels.forEach(({ inputs, outputs }, k) => {
    const present = new Set([...inputs, ...outputs, ...waiting]);
    let need = always;
    for (const t of present) if (!stays.has(t)) need += tensors[t]?.bytes ?? 0;
    room[k] = Math.max(0, deviceBytes - need);
    for (const t of outputs) if (tensors[t]?.role === "gradient" && !stays.has(t)) waiting.add(t);
    for (const t of [...inputs, ...outputs]) if (lastUse[t] === k) waiting.delete(t);
  });
  return room;
}
