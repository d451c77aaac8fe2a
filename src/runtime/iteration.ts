/**
 * One training iteration as it runs: forward, backward, and the update if one follows. It keeps the record, follows the plan
 * while the record agrees with it, and carries out the plan's steps after each kernel.
 */
import { hasCode } from "../errors.ts";
import type { Pass } from "../graph/graph.ts";
import type { PlanStep, Tier } from "../plan/plan.ts";
import type { IterationResult } from "../report/result.ts";
import type { Block, Entry } from "./block.ts";
import type { CompiledPlan } from "./compiled-plan.ts";
import { Deviation } from "./deviation.ts";
import { Departures, LOOK_AHEAD } from "./departures.ts";
import type { Follower } from "./follower.ts";
import type { Meter } from "./meter.ts";
import { isRandom, type Op, OpLog } from "./oplog.ts";
import type { Planner } from "./planner.ts";
import { ReadAhead } from "./read-ahead.ts";
import { Replay, type ReplayContext } from "./replay.ts";
import type { Residency } from "./residency.ts";

export class Iteration {
  readonly log: OpLog;
  readonly #replay: Replay;
  readonly #residency: Residency;
  readonly #planner: Planner;
  readonly #meter: Meter;
  readonly #layerNow: () => string;
  #follower: Follower | null = null;
  readonly #deviation = new Deviation();
  readonly #readAhead: ReadAhead;
  /** Prefetches of data that was still on its way out. */
  readonly #late = new Map<Block, boolean>();
  readonly departures: Departures;
  /** Null outside an iteration. */
  pass: Pass | null = null;
  /** Time spent inside the training calls, ms. */
  busyMs = 0;
  isOpen = false;
  /** Its driver waits between two nodes: what runs now is not part of it. */
  isSuspended = false;
  /** Kernels that run now are counted: the driver waits in the middle of the step. */
  countsForeign = false;
  foreignKernels = 0;

  constructor(
    residency: Residency,
    planner: Planner,
    meter: Meter,
    layerNow: () => string,
    context: Omit<ReplayContext, "residency" | "meter">,
  ) {
    this.log = new OpLog(residency.adapter.allocator?.smallestBytes ?? 0);
    this.#layerNow = layerNow;
    this.#residency = residency;
    this.#planner = planner;
    this.#meter = meter;
    this.#readAhead = new ReadAhead(residency.transfers);
    this.departures = new Departures(this, residency.transfers, residency.clock);
    this.#replay = new Replay({ ...context, residency, meter });
  }

  get follower(): Follower | null {
    return this.#follower;
  }

  get replay(): Replay {
    return this.#replay;
  }

  begin(): void {
    this.isOpen = true;
    this.busyMs = 0;
    this.foreignKernels = 0;
    this.#deviation.begin();
    this.#readAhead.begin();
    this.#follower = this.#planner.expected();
    this.#meter.begin(this.#residency.ledger.usedBytes);
    if (this.#follower !== null) this.#carryOut(this.#follower, this.#follower.compiled.first);
  }

  /** Kernels are to be timed: there is no plan, or one that was made with the times of a cold start. */
  get isTimed(): boolean {
    const follower = this.#follower;
    return follower === null || follower.compiled.timings !== null;
  }

  /** Device bytes that the plan foresees for the kernel about to run; undefined when it foresees another kernel or none. */
  plannedNeed(name: string, reads: readonly Entry[]): number | undefined {
    return this.#follower?.needOf(name, reads);
  }

  /** A kernel has run: it is recorded, and what the plan puts after it is carried out. */
  ran(op: Op): void {
    const pass = this.pass ?? "forward";
    op.pass = pass;
    const follower = this.#agree(op);
    if (follower === null) {
      op.layer = this.#layerNow();
      if (Number.isNaN(op.ms)) op.ms = 0;
      this.log.add(op);
      return;
    }
    const { kernel, compiled } = follower;
    const known = compiled.graph.kernels[kernel];
    op.layer = known?.layer ?? "";
    if (compiled.timings !== null) compiled.timings[kernel] = op.ms;
    op.ms = known?.ms ?? 0;
    op.needBytes = compiled.needBytes[kernel] ?? op.needBytes;
    this.log.add(op);
    follower.advance();
    for (const tensor of compiled.holds[kernel] ?? [])
      this.#withBlock(follower, tensor, (block) => this.#replay.hold(block));
    const steps = compiled.after[kernel];
    if (steps !== undefined && steps.length > 0) this.#carryOut(follower, steps);
    if (pass !== "forward" && compiled.prefetches.length > 0) this.#readAhead.advance(follower);
  }

  /** The follower whose plan foresees this kernel: the current one, another one, or none from here on. */
  #agree(op: Op): Follower | null {
    const follower = this.#follower;
    if (follower === null || follower.matches(op)) return follower;
    follower.unbind();
    // Nobody else frees what was recomputed or held for that plan.
    this.#replay.clear();
    this.#follower = this.#planner.alternative(this.log.ops, op, follower.compiled);
    if (this.#follower === null) {
      this.#deviation.left = op.pass;
      // It will be planned anew, and the end of the passes before this one went by unmarked.
      if (op.pass === "update") this.log.markSurvivors();
    }
    return this.#follower;
  }

  /** A pass has ended. While a plan is followed nobody asks who survives it. */
  endPass(): void {
    if (this.#follower === null) this.log.markSurvivors();
  }

  /** A kernel asked for what cannot be had without waiting. The same plan would do that again. */
  missed(): void {
    if (this.pass === null) return;
    this.#deviation.hasMissed = true;
    this.doubt();
  }

  /** The next iteration begins without a plan. */
  doubt(): void {
    this.#planner.doubt();
  }

  /** The step has failed with `error`, and may begin again: Note [Second attempt]. */
  mayBeginAgain(error: unknown): boolean {
    return this.#deviation.explains(error);
  }

  /** Ends the iteration. Recipes of dropped data expire here. */
  finish(): {
    readonly mode: IterationResult["mode"];
    readonly followed: CompiledPlan | null;
    /** It followed its plan to the end of it. */
    readonly complete: boolean;
  } {
    const follower = this.#follower;
    // An iteration without its update (gradients alone) is a prefix of the plan, and that is enough.
    const mode = follower !== null ? "planned" : this.#deviation.left !== null ? "deviated" : "recorded";
    const followed = follower?.compiled ?? null;
    const complete = follower?.isComplete ?? false;
    follower?.unbind();
    this.#follower = null;
    this.#late.clear();
    this.departures.clear();
    this.#replay.clear();
    this.isOpen = false;
    this.isSuspended = false;
    this.#deviation.endedIn = this.pass;
    this.pass = null;
    return { mode, followed, complete };
  }

  #carryOut(follower: Follower, steps: readonly PlanStep[]): void {
    for (const step of steps) {
      switch (step.kind) {
        case "offload":
          this.#offload(follower, step.tensor, step.tier, step.keep ?? false);
          break;
        case "prefetch":
          this.#prefetch(follower, step);
          break;
        case "free":
          if (follower.compiled.relyingOnCopy.has(step)) this.#offload(follower, step.tensor, "host", false);
          else this.#free(follower, step.tensor);
          break;
        case "recompute":
          this.#recompute(follower, step.kernel);
          break;
        case "compute":
          break;
        default:
          step satisfies never;
      }
    }
  }

  #free(follower: Follower, tensor: number): void {
    this.#withBlock(follower, tensor, (block) => {
      if (this.#replay.release(block) || block.kept || block.variables > 0) return;
      // What cannot be made again stays until the program lets go of it.
      if (!block.entries.some(({ alive, producer }) => alive && producer !== null && isRandom(producer.name)))
        this.#residency.transfers.drop(block);
    });
  }

  #offload(follower: Follower, tensor: number, tier: Tier, keep: boolean): void {
    this.#withBlock(follower, tensor, (block) => {
      const nextUse = follower.nextUse(tensor);
      // A synchronous pass cannot wait until it is back.
      const isHeld = this.#isAsynchronous && this.#staysInPass(follower, tensor);
      if (isHeld && !this.#residency.transfers.hasCopy(block)) return;
      try {
        if (keep) this.#residency.transfers.copy(block, nextUse);
        else if (this.#isAsynchronous) this.departures.send(block, nextUse);
        else this.#residency.transfers.offload(block, nextUse);
        if (tier === "spill" && !isHeld) this.#residency.transfers.spill(block);
      } catch (error) {
        // The host is full: the tensor stays, and the device budget has the last word.
        if (!hasCode(error, "ERR_HOST_MEMORY")) throw error;
      }
    });
  }

  /** It left its plan, or has none: nobody knows what its next kernels read. */
  get isUnforeseen(): boolean {
    return this.#follower === null;
  }

  get #isAsynchronous(): boolean {
    return this.#residency.adapter.asynchronous !== undefined;
  }

  /** Between the nodes of a backward pass its driver waits, of which a layer may have one; the other passes run in one go. */
  #staysInPass(follower: Follower, tensor: number): boolean {
    return this.pass === "backward" ? follower.isUsedInLayer(tensor) : follower.isUsedSoon(tensor, LOOK_AHEAD);
  }

  #prefetch(follower: Follower, step: Extract<PlanStep, { kind: "prefetch" }>): void {
    if (step.tier !== "host") this.#readAhead.prefetched();
    this.#withBlock(follower, step.tensor, (block) => {
      if (step.tier === "host") this.#residency.transfers.readAhead(block);
      else this.#bringAhead(block, follower.compiled.keepingCopy.has(step));
    });
  }

  /** What has no room now comes when a kernel asks for it, and then the budget has the last word. */
  #bringAhead(block: Block, keepCopy: boolean): void {
    this.departures.recall(block);
    if (this.#isAsynchronous && this.#residency.transfers.isArriving(block)) {
      this.#late.set(block, keepCopy);
      return;
    }
    try {
      this.#residency.ensure(block, true, keepCopy);
    } catch (error) {
      if (!hasCode(error, "ERR_OUT_OF_MEMORY") && !hasCode(error, "ERR_HOST_MEMORY")) throw error;
    }
  }

  /** What the driver should wait for before the next kernels run: prefetches that were too early, and their inputs as planned. */
  *awaited(): Generator<Block, void> {
    yield* this.#late.keys();
    if (this.#follower !== null) yield* this.#follower.readsOfNext(LOOK_AHEAD);
  }

  /** Prefetches what has arrived since the plan asked for it. */
  bringLate(): void {
    for (const [block, keepCopy] of this.#late) {
      if (this.#residency.transfers.isArriving(block)) continue;
      this.#late.delete(block);
      // A kernel may have asked for it since, and the plan have freed it.
      if (block.residency === "away") this.#bringAhead(block, keepCopy);
    }
  }

  #recompute(follower: Follower, kernel: number): void {
    const op: Op | undefined = this.log.ops[kernel];
    if (op === undefined) return;
    this.#residency.clock.tick();
    this.#replay.run(op);
    for (const entry of op.writes) {
      const block = this.#replay.blockOf(entry);
      if (entry.block.index >= 0) follower.rebind(entry.block.index, block);
    }
  }

  #withBlock(follower: Follower, tensor: number, act: (block: Block) => void): void {
    const block = follower.block(tensor);
    // Disposed by the program already, or state that the plan expects but this iteration has not touched yet.
    if (block !== undefined && (block.entries.some((entry) => entry.alive) || block.residency === "device")) act(block);
  }
}
