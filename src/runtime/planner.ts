/**
 * Plans by signature. The signature of an iteration is its sequence of kernels with the tensors and sizes they touch; a plan
 * applies to that sequence alone. A short last batch or a model that changes its shape is recorded and planned in its own
 * right.
 */
import type { Graph } from "../graph/graph.ts";
import { makePlan } from "../plan/make.ts";
import type { Effort, Machine, Policy } from "../plan/policy.ts";
import type { PlanSummary } from "../report/result.ts";
import { type CompiledPlan, compile } from "./compiled-plan.ts";
import { Follower } from "./follower.ts";
import type { Op } from "./oplog.ts";

/** Signatures kept; a program with more of them records some again. */
const MAX_PLANS = 32;

/** What a plan may use. */
export interface Room {
  readonly machine: Machine;
  /** Device bytes that the iteration holds beyond its graph, and that are better left where they are. */
  readonly heldBytes: number;
  /** Device bytes that do not belong to the iteration, for the summary. */
  readonly outsideBytes: number;
}

interface Known {
  readonly compiled: CompiledPlan;
  readonly fits: boolean;
  readonly summary: PlanSummary;
}

export class Planner {
  readonly #policy: Policy;
  /** Most recently used first. */
  #known: Known[] = [];
  #count = 0;
  #isDoubted = false;

  constructor(policy: Policy) {
    this.#policy = policy;
  }

  get summaries(): readonly PlanSummary[] {
    return this.#known.map(({ summary }) => summary);
  }

  /** The plan that an iteration is expected to follow: that of the last one. */
  expected(): Follower | null {
    const latest = this.#isDoubted ? undefined : this.#known[0];
    this.#isDoubted = false;
    return latest === undefined ? null : new Follower(latest.compiled);
  }

  /** Another plan whose beginning is what has run so far, with this kernel next. */
  alternative(ops: readonly Op[], next: Op, except: CompiledPlan): Follower | null {
    for (const known of this.#known) {
      if (known.compiled === except) continue;
      const follower = new Follower(known.compiled);
      const fits = ops.every((op) => {
        if (!follower.matches(op)) return false;
        follower.advance();
        return true;
      });
      if (fits && follower.matches(next)) {
        this.#use(known);
        return follower;
      }
      follower.unbind();
    }
    return null;
  }

  /** Makes a plan for a recorded iteration: a draft, as its times are those of a cold start. */
  learn(graph: Graph, room: Room): { readonly compiled: CompiledPlan; readonly fits: boolean } {
    const made = this.#plan(graph, room, `${graph.name}#${this.#count++}`, "draft");
    this.#known = [made, ...this.#known].slice(0, MAX_PLANS);
    return made;
  }

  /** Plans the same iteration once more, with the times that a planned one took. Its plan takes the place of the old. */
  calibrate(old: CompiledPlan, room: Room): Graph {
    const { graph, timings } = old;
    const timeOf = (k: number): number => timings?.[k] ?? Number.NaN;
    const kernels = graph.kernels.map((kernel, k) => ({
      ...kernel,
      ms: Number.isNaN(timeOf(k)) ? kernel.ms : timeOf(k),
    }));
    const timed: Graph = { ...graph, kernels };
    this.#known = this.#known.map((known) => {
      if (known.compiled !== old) return known;
      const made = this.#plan(timed, room, known.summary.signature, "full");
      // The machine may have less room by now; a plan that kept the budget is not given up for one that does not.
      return made.fits || !known.fits ? made : { ...known, compiled: { ...old, timings: null, isProven: true } };
    });
    return timed;
  }

  #plan(graph: Graph, { machine, heldBytes, outsideBytes }: Room, signature: string, effort: Effort): Known {
    const careful = { ...machine, deviceBytes: machine.deviceBytes - heldBytes };
    const made = makePlan(graph, careful, this.#policy, effort);
    // What is held may leave on demand where there is no other way.
    const { plan, fits } = made.fits || heldBytes === 0 ? made : makePlan(graph, machine, this.#policy, effort);
    const compiled = compile(graph, plan, effort === "full", fits);
    const offloaded = new Set(plan.steps.flatMap((step) => (step.kind === "offload" ? [step.tensor] : [])));
    const summary: PlanSummary = {
      signature,
      kernels: graph.kernels.length,
      policy: plan.policy,
      offloadedTensors: offloaded.size,
      recomputedKernels: plan.steps.filter((step) => step.kind === "recompute").length,
      predictedPeakDeviceBytes: plan.predicted.peakDeviceBytes + outsideBytes,
      predictedStepMs: plan.predicted.stepMs,
      oracleMs: plan.predicted.oracleMs,
      lowerBoundMs: plan.predicted.lowerBoundMs,
    };
    return { compiled, fits, summary };
  }

  /**
   * The plan has sent away what the program asked for again. The next iteration is recorded from its beginning, or the same plan would
   * fail the same step again.
   */
  doubt(): void {
    this.#isDoubted = true;
  }

  /** Plans no longer apply: the machine is not what they were made for. One that is being followed goes on to its end. */
  forget(): void {
    this.#known = [];
  }

  #use(known: Known): void {
    this.#known = [known, ...this.#known.filter((other) => other !== known)];
  }
}
