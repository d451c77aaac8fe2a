/**
 * A plan: the ordered list of everything one iteration does, as plain data (`vdnn-plan/1`). Who runs it knows nothing of
 * policies; who makes it knows nothing of TensorFlow.js.
 *
 *   compute   k   run kernel k of the graph
 *   recompute k   run kernel k once more, to bring back outputs that were dropped
 *   offload   t   copy t to the host (or spill) tier and release its device memory once the copy is done; with `keep` the
 *                 device memory stays until a later `free`
 *   prefetch  t   allocate t on the device and copy it back; the kernel that needs it waits for that copy. With tier `host`:
 *                 copy it from the spill tier to the host only
 *   free      t   release the device memory of t without a copy: it is dead, or will be recomputed, or its copy is still valid
 *
 * Copies run on their own streams: a step in the list says when a copy is issued, not when it ends. What the list means
 * to the millisecond and to the byte is Note [Execution model] in execution.ts.
 */
import type { KernelIndex, TensorIndex } from "../graph/graph.ts";

export type Tier = "host" | "spill";

export type PlanStep =
  | { readonly kind: "compute"; readonly kernel: KernelIndex }
  | { readonly kind: "recompute"; readonly kernel: KernelIndex }
  | { readonly kind: "offload"; readonly tensor: TensorIndex; readonly tier: Tier; readonly keep?: boolean }
  | { readonly kind: "prefetch"; readonly tensor: TensorIndex; readonly tier?: "host" }
  | { readonly kind: "free"; readonly tensor: TensorIndex };

export interface Prediction {
  readonly stepMs: number;
  readonly oracleMs: number;
  readonly lowerBoundMs: number;
  readonly peakDeviceBytes: number;
  readonly peakHostBytes: number;
  readonly offloadBytes: number;
  readonly recomputeMs: number;
  readonly stallMs: number;
}

export interface Plan {
  readonly schema: "vdnn-plan/1";
  readonly graph: string;
  readonly machine: string;
  readonly policy: string;
  readonly steps: readonly PlanStep[];
  readonly predicted: Prediction;
}
