/** What a conformance case is: a piece of training whose every bit vdnn must reproduce. The list is in `cases.ts`. */
import type { TensorFlow } from "../../src/networks/network.ts";

export interface TrainResult {
  /** The loss of each step, in order; where a step reports metrics too, they follow its loss. */
  readonly losses: number[];
  /** The bit pattern of everything that training changed: weights, optimizer state, whatever a case keeps besides. */
  readonly weights: { readonly name: string; readonly bits: Uint32Array }[];
}

export interface ConformanceCase {
  /** A sentence. */
  readonly name: string;
  /** `tiny`: seconds on the `cpu` backend; `small`: seconds on `wasm`; `large`: only for `tensorflow`. */
  readonly cost: "tiny" | "small" | "large";
  /** Backends on which stock TensorFlow.js cannot run it, for want of a kernel, as `backend: reason`. */
  readonly unsupported?: readonly string[];
  /** Builds everything from fixed seeds, trains, reads the result, and disposes everything that it made. */
  readonly train: (tf: TensorFlow, steps: number) => Promise<TrainResult>;
}

/** Says why a case cannot run on a backend; undefined if it can. */
export function whyUnsupported(conformanceCase: ConformanceCase, backend: string): string | undefined {
  return conformanceCase.unsupported?.find((entry) => entry.startsWith(`${backend}:`));
}

/** The names of what differs between two results. */
export function differences(a: TrainResult, b: TrainResult): string[] {
  const names: string[] = [];
  if (a.losses.length !== b.losses.length || a.losses.some((loss, i) => !Object.is(loss, b.losses[i])))
    names.push("losses");
  if (a.weights.length !== b.weights.length) names.push("weights");
  for (const [i, { name, bits }] of a.weights.entries()) {
    const other = b.weights[i];
    if (other?.name !== name || !sameBits(bits, other.bits)) names.push(name);
  }
  return names;
}

function sameBits(a: Uint32Array, b: Uint32Array): boolean {
  return a.length === b.length && a.every((word, i) => word === b[i]);
}
