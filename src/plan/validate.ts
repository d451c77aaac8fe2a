/**
 * An independent re-check of a plan, simple and slow, shared with no policy: every kernel runs once and in order, finds its
 * inputs on the device, nothing is copied that is not there, and the device budget holds at every step.
 */
import { VdnnError } from "../errors.ts";
import type { Graph, TensorIndex } from "../graph/graph.ts";
import { existsAfter, existsBefore } from "../graph/lifetimes.ts";
import { formatBytes } from "../units.ts";
import { awayAtStart } from "./ledger.ts";
import type { PlanStep } from "./plan.ts";

type Place = "device" | "host" | "nowhere";

/**
 * @param deviceBytes budget for the graph's tensors; Infinity to check residency alone
 * @throws VdnnError `ERR_INVALID_PLAN` naming the step and the rule that it breaks
 */
export function validate(graph: Graph, steps: readonly PlanStep[], deviceBytes: number): void {
  const away = awayAtStart(graph, steps);
  const place: Place[] = graph.tensors.map(({ role }, t) =>
    existsBefore(role) ? (away.has(t) ? "host" : "device") : "nowhere",
  );
  const hostCopy = new Set<TensorIndex>(away);
  const computed = new Set<number>();
  const fail = (position: number, rule: string): never => {
    const step = steps[position];
    throw new VdnnError("ERR_INVALID_PLAN", `step ${position} (${JSON.stringify(step)}): ${rule}`, {
      position,
      step,
      rule,
    });
  };
  let next = 0;
  steps.forEach((step, position) => {
    if (step.kind === "compute" || step.kind === "recompute") {
      const kernel = graph.kernels[step.kernel] ?? fail(position, "there is no such kernel");
      if (step.kind === "compute" && step.kernel !== next++) fail(position, `kernel ${next - 1} is due`);
      if (step.kind === "recompute" && !computed.has(step.kernel)) fail(position, "it has not run a first time");
      if (step.kind === "recompute" && kernel.recomputable === false)
        fail(position, "running it again gives another result");
      for (const t of kernel.inputs)
        if (place[t] !== "device") fail(position, `input ${t} is ${place[t] ?? "unknown"}`);
      for (const t of kernel.outputs) {
        place[t] = "device";
        hostCopy.delete(t);
      }
      computed.add(step.kernel);
      const used = place.reduce((sum, where, t) => sum + (where === "device" ? (graph.tensors[t]?.bytes ?? 0) : 0), 0);
      const during = used + (kernel.workspaceBytes ?? 0);
      if (during > deviceBytes)
        fail(position, `${formatBytes(during)} exceed the budget of ${formatBytes(deviceBytes)}`);
      return;
    }
    const { kind, tensor } = step;
    if (graph.tensors[tensor] === undefined) fail(position, "there is no such tensor");
    if (kind === "prefetch") {
      if (place[tensor] !== "host" || !hostCopy.has(tensor))
        fail(position, `tensor is ${place[tensor] ?? "unknown"}, not on the host`);
      place[tensor] = "device";
    } else {
      if (place[tensor] !== "device") fail(position, `tensor is ${place[tensor] ?? "unknown"}, not on the device`);
      if (kind === "offload") hostCopy.add(tensor);
      place[tensor] = kind === "offload" ? "host" : "nowhere";
    }
  });
  if (next !== graph.kernels.length) fail(steps.length - 1, `only ${next} of ${graph.kernels.length} kernels run`);
  graph.tensors.forEach(({ role }, t) => {
    if (existsAfter(role) && place[t] === "nowhere")
      fail(steps.length - 1, `tensor ${t} (${role}) must outlive the iteration`);
  });
}
