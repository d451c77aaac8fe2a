/** Why nothing fits, as an error: the kernel that needs most, what is live there, and the smallest budget that really works. */
import { VdnnError } from "../../errors.ts";
import type { Graph } from "../../graph/graph.ts";
import { formatBytes } from "../../units.ts";
import { type AutoOptions, autoPolicy } from "../policies/auto.ts";
import type { Machine, Policy } from "../policy.ts";
import { attempt, smallestBudget } from "./budgets.ts";
import { floorOf, peakOf } from "./peak.ts";

/**
 * @param policy whose plan exceeds a budget of the machine
 * @returns `ERR_OUT_OF_MEMORY`, or `ERR_HOST_MEMORY` where more host memory alone would do
 */
export function shortage(graph: Graph, machine: Machine, policy: Policy, settings: AutoOptions = {}): VdnnError {
  const { steps } = policy.decide(graph, machine);
  const quick = policy.name === "auto" ? autoPolicy({ ...settings, moves: 0 }) : policy;
  const smallest = smallestBudget(graph, machine, quick, { aboveBytes: machine.deviceBytes });
  // What another policy can do is worth knowing where this one is rigid.
  const best = policy.name === "auto" ? smallest : smallestBudget(graph, machine, autoPolicy({ moves: 0 }));
  const isHostShort =
    Number.isFinite(machine.hostBytes) &&
    attempt(graph, { ...machine, hostBytes: Number.POSITIVE_INFINITY }, quick).stepMs !== null;
  const { at, bytes, roles, largest } = peakOf(graph, steps);
  const floor = floorOf(graph);
  const isBelowFloor = machine.deviceBytes < floor.bytes;
  const worst = isBelowFloor ? floor : { at, bytes };
  const where = `${worst.at.layer || worst.at.name} (${worst.at.pass} ${worst.at.name})`;
  const need = isBelowFloor ? `needs ${formatBytes(worst.bytes)} at once` : `has ${formatBytes(worst.bytes)} live`;
  const live = roles.map((role) => `${role.count} ${role.role} ${formatBytes(role.bytes)}`).join(", ");
  const advice = [
    ...(isHostShort ? ["raise --host-memory or add --spill"] : []),
    ...(smallest === null ? [] : [`raise --device-memory to ${exactSize(smallest.bytes)}`]),
    ...(policy.name !== "auto" && best !== null
      ? [`use --policy auto, which works from ${exactSize(best.bytes)}`]
      : []),
    ...(machine.offloadGBps > 0 && machine.hostBytes > 0 ? [] : ["allow transfers (--link)"]),
    ...(settings.recompute === false ? ["leave out --no-recompute"] : []),
    "lower the batch size",
  ];
  const smallestText = smallest === null ? "none was found" : formatBytes(smallest.bytes);
  return new VdnnError(
    isHostShort ? "ERR_HOST_MEMORY" : "ERR_OUT_OF_MEMORY",
    `${graph.name} does not fit ${formatBytes(machine.deviceBytes)} under policy ${policy.name}: ${where} ${need}; ` +
      `live at the peak (${formatBytes(bytes)}, ${at.layer || at.name}): ${live}; smallest feasible device budget: ${smallestText}; ` +
      advice.join(", or "),
    {
      policy: policy.name,
      deviceBytes: machine.deviceBytes,
      hostBytes: Number.isFinite(machine.hostBytes) ? machine.hostBytes : null,
      smallestFeasibleBytes: smallest?.bytes ?? null,
      smallestFeasibleStepMs: smallest?.stepMs ?? null,
      smallestFeasibleBytesOfAuto: best?.bytes ?? null,
      floor,
      peak: { at, bytes, roles, largest },
      remedies: advice,
    },
  );
}

/** As a flag takes it: to the byte, because less may not work. */
function exactSize(bytes: number): string {
  return `${bytes} (${formatBytes(bytes)})`;
}
