/** Which kernels wait, for what and why: sums by cause, and the longest waits by name. */
import type { Graph, TensorIndex } from "../../graph/graph.ts";
import type { CopyReason, Spans, Wait } from "../spans.ts";
import { type KernelName, kernelName, tensorNames } from "./peak.ts";

export interface StallCause {
  readonly cause: Wait["cause"];
  readonly reason: CopyReason;
  readonly ms: number;
  readonly kernels: number;
}

export interface LongStall {
  readonly at: KernelName;
  readonly startMs: number;
  readonly ms: number;
  readonly cause: Wait["cause"];
  readonly reason: CopyReason;
  /** What was waited for; null where memory came free by nothing that has a name. */
  readonly tensor: { readonly tensor: TensorIndex; readonly name: string; readonly bytes: number } | null;
}

export interface Stalls {
  /** Kernels waited, and copies ran on after the last one. */
  readonly totalMs: number;
  readonly tailMs: number;
  readonly causes: readonly StallCause[];
  readonly longest: readonly LongStall[];
}

const LONGEST = 5;

export function stallsOf(graph: Graph, { waits, tailMs }: Pick<Spans, "waits" | "tailMs">): Stalls {
  const causes = new Map<string, { cause: Wait["cause"]; reason: CopyReason; ms: number; kernels: number }>();
  for (const { cause, reason, ms } of waits) {
    const sum = causes.get(`${cause} ${reason}`) ?? { cause, reason, ms: 0, kernels: 0 };
    sum.ms += ms;
    sum.kernels++;
    causes.set(`${cause} ${reason}`, sum);
  }
  const names = tensorNames(graph);
  return {
    totalMs: waits.reduce((sum, { ms }) => sum + ms, 0) + tailMs,
    tailMs,
    causes: [...causes.values()].toSorted((a, b) => b.ms - a.ms),
    longest: waits
      .toSorted((a, b) => b.ms - a.ms || a.step - b.step)
      .slice(0, LONGEST)
      .map(({ kernel, startMs, ms, cause, reason, tensor }) => ({
        at: kernelName(graph, kernel),
        startMs,
        ms,
        cause,
        reason,
        tensor: tensor < 0 ? null : { tensor, name: names(tensor).name, bytes: graph.tensors[tensor]?.bytes ?? 0 },
      })),
  };
}
