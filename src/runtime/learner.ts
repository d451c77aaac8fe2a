/**
 * What is learned from an iteration that has ended: its graph from the record, the room that a plan of it may use, and once a planned
 * one has run, the graph again with the times that it took.
 */
import type { Graph } from "../graph/graph.ts";
import type { Machine } from "../plan/policy.ts";
import type { Block } from "./block.ts";
import { type CompiledPlan, MIN_FREE_BYTES } from "./compiled-plan.ts";
import type { Engine } from "./engine.ts";
import type { LayerTracker } from "./layers.ts";
import type { Meter } from "./meter.ts";
import type { OpLog } from "./oplog.ts";
import type { SessionOptions } from "./options.ts";
import type { Planner, Room } from "./planner.ts";
import { Recording } from "./recording.ts";
import type { Residency } from "./residency.ts";

/** Bandwidth assumed for plans made before anything was copied, GB/s. */
const ASSUMED_GBPS = 8;
const ASSUMED_SPILL_GBPS = 1;

export interface LearnerDeps {
  readonly backend: string;
  readonly engine: Engine;
  readonly options: SessionOptions;
  readonly planner: Planner;
  readonly residency: Residency;
  readonly layers: LayerTracker;
  readonly meter: Meter;
  /** The record of the iteration. */
  readonly log: OpLog;
  /** Copies between device and host keep the thread that computes. */
  readonly copiesBlock: boolean;
}

/** A plan that was made, and the device bytes it had. */
export interface Learned {
  readonly compiled: CompiledPlan;
  readonly fits: boolean;
  readonly deviceBytes: number;
}

export class Learner {
  readonly recording: Recording = new Recording();
  readonly #deps: LearnerDeps;
  #graph: Graph | null = null;

  constructor(deps: LearnerDeps) {
    this.#deps = deps;
  }

  /** The graph learned last; null before the first. */
  get graph(): Graph | null {
    return this.#graph;
  }

  /** Makes a graph of the record and plans it. */
  learn(): Learned {
    const { backend, layers, log, planner } = this.#deps;
    const name = `${backend} iteration of ${log.ops.length} kernels`;
    const graph = log.toGraph(name, layers.kinds, this.#variableNames());
    this.#keep(graph);
    const room = this.#room();
    return { ...planner.learn(graph, room), deviceBytes: room.machine.deviceBytes };
  }

  /** Plans the iteration that was followed once more, with the times it took. */
  calibrate(followed: CompiledPlan): void {
    this.#keep(this.#deps.planner.calibrate(followed, this.#room()));
  }

  #keep(graph: Graph): void {
    this.#graph = graph;
    this.recording.add(graph);
  }

  #variableNames(): Map<Block, string> {
    const { engine, residency } = this.#deps;
    const names = new Map<Block, string>();
    for (const { dataId, name } of Object.values(engine.state.registeredVariables)) {
      const block = residency.ledger.entry(dataId)?.block;
      // TensorFlow.js numbers variables that were given no name.
      if (block !== undefined && !/^\d+$/.test(name)) names.set(block, name);
    }
    return names;
  }

  #room(): Room {
    const outsideBytes = this.#bytesOutside();
    return { machine: this.#machine(outsideBytes), heldBytes: this.#heldBytes(), outsideBytes };
  }

  #machine(outsideBytes: number): Machine {
    const { backend, copiesBlock, meter, options, residency } = this.#deps;
    const { hostBytes, spillBytes, spillDirectory } = options;
    const spills = spillDirectory !== null;
    return {
      name: backend,
      deviceBytes: residency.room.limitBytes - outsideBytes,
      hostBytes,
      copiesBlock,
      spillBytes: spills ? spillBytes : 0,
      spillWriteGBps: spills ? (meter.gigabytesPerSecond("spill-write") ?? ASSUMED_SPILL_GBPS) : 0,
      spillReadGBps: spills ? (meter.gigabytesPerSecond("spill-read") ?? ASSUMED_SPILL_GBPS) : 0,
      offloadGBps: meter.gigabytesPerSecond("offload") ?? ASSUMED_GBPS,
      prefetchGBps: meter.gigabytesPerSecond("prefetch") ?? ASSUMED_GBPS,
    };
  }

  /**
   * What the iteration holds and no step of a plan gives back: what is too small to move, or to be freed before its scope ends, and
   * old values of what the forward pass assigns. A plan that counted on those bytes would be evicting them in every iteration.
   * At most a quarter of the device, where budgets are so small that it is most of them.
   */
  #heldBytes(): number {
    const { log, residency } = this.#deps;
    const { limitBytes } = residency.room;
    if (limitBytes === Number.POSITIVE_INFINITY) return 0;
    const held = new Set<Block>(log.oldValues());
    for (const { writes } of log.ops) {
      for (const { block } of writes)
        if (block.bytes < MIN_FREE_BYTES || !residency.transfers.isMovable(block)) held.add(block);
    }
    let bytes = 0;
    for (const block of held) bytes += block.bytes;
    return Math.min(bytes, Math.floor(limitBytes / 4));
  }

  /** Device bytes that the recorded iteration never touched. */
  #bytesOutside(): number {
    const { log, residency } = this.#deps;
    const inside = new Set<Block>();
    for (const op of log.ops) {
      for (const { block } of op.reads) inside.add(block);
      for (const { block } of op.writes) inside.add(block);
    }
    let bytes = 0;
    for (const block of residency.blocks()) {
      if (block.residency === "device" && !inside.has(block)) bytes += block.bytes;
    }
    return bytes;
  }
}
