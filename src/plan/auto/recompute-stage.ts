/**
 * Inside one stage: the re-runs before a kernel, in the order of the first pass, and the kernel itself. What a re-run builds is
 * freed as soon as nothing in the stage or after it reads it.
 */
import { firstFrom } from "../ascending.ts";
import type { Model } from "./recompute-model.ts";

export interface Touches {
  readonly model: Model;
  readonly runsAt: readonly (readonly number[])[];
  readonly stages: readonly (readonly number[])[];
  readonly tags: readonly (readonly number[])[];
}

/**
 * Highest bytes while the re-runs of a stage and its kernel run, given the bytes carried into it.
 *
 * @param lastTouch scratch space, one per tensor
 */
export function stagePeak(touches: Touches, lastTouch: Int32Array, stage: number, carriedBytes: number): number {
  const { model, runsAt, stages, tags } = touches;
  const { touched, made, bytes, workspace } = model;
  const again = runsAt[stage]!;
  const order = again.length === 0 ? [stage] : kernelsOf(model, again, stage);
  if (again.length > 0) {
    for (let p = 0; p < order.length; p++) {
      const k = order[p]!;
      for (let i = touched.start[k]!; i < touched.start[k + 1]!; i++) lastTouch[touched.items[i]!] = p;
    }
  }
  let live = carriedBytes;
  let peak = 0;
  for (let p = 0; p < order.length; p++) {
    const k = order[p]!;
    for (let i = made.start[k]!; i < made.start[k + 1]!; i++) live += bytes[made.items[i]!]!;
    if (live + workspace[k]! > peak) peak = live + workspace[k]!;
    // What happens after the last kernel of a stage is in the next stage's carried bytes.
    if (p === order.length - 1) break;
    for (let i = touched.start[k]!; i < touched.start[k + 1]!; i++) {
      const t = touched.items[i]!;
      if (lastTouch[t] !== p) continue;
      const next = firstFrom(stages[t]!, stage + 1);
      if (next >= stages[t]!.length || (tags[t]![next]! & 1) === 1) live -= bytes[t]!;
    }
  }
  return peak;
}

function kernelsOf({ units }: Model, again: readonly number[], stage: number): number[] {
  const order: number[] = [];
  for (const unit of again) {
    for (let m = units.memberStart[unit]!; m < units.memberStart[unit + 1]! && units.members[m]! < stage; m++) {
      order.push(units.members[m]!);
    }
  }
  order.sort((a, b) => a - b);
  order.push(stage);
  return order;
}
