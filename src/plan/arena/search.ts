/**
 * Exact search for static allocation at a given capacity, by three ways that take turns with more and more nodes: which is the
 * fastest differs between problems by orders of magnitude. Effort is counted in nodes, so that the answer does not depend on the
 * machine.
 *
 * MiniMalloc's way, bottom up, is `bottom-up.ts`. The other two put buffers in order, as in job-shop scheduling: a section (see
 * `sections.ts`) is a machine, a buffer is a job that takes all its sections at once, and an offset is a start time.
 *
 *   capacity ┐ · · · · · · · · · · · ·
 *            │ bound(1, b)   least bytes that must lie above b
 *            │ b
 *          0 ┘ bound(0, b)   least bytes that must lie below b
 *
 * A node takes a section and tries every buffer that can be the next one there: where the floor is lowest, or, from either end,
 * where fewest buffers can.
 */
import { randomOf } from "../auto/random.ts";
import { bottomUp } from "./bottom-up.ts";
import { type Bounds, bounds, type Rule } from "./bounds.ts";
import type { Buffers } from "./buffers.ts";
import { sectionsOf } from "./sections.ts";

export interface Search {
  /** Where every buffer goes; undefined when none was found. */
  readonly offsets: Float64Array | undefined;
  /** Every branch was tried or pruned: nothing fits the capacity. */
  readonly isInfeasible: boolean;
  readonly nodes: number;
}

/** The relation of every pair is kept: 4 MB for these. */
export const MAX_SEARCHED_BUFFERS = 2000;

interface Way {
  readonly rule: Rule | "bottom up";
  readonly state: Bounds;
  /** How much the lengths of buffers are blurred in the order of trial, so that restarts differ. */
  readonly blur: number;
  /** Nodes of its first turn, and how they grow. What failed stays known as a weight of its section. */
  share: number;
  readonly growth: number;
  readonly random: () => number;
  /** Effort so far, in nodes: the way with the least is next. */
  spent: number;
}

const WAYS: readonly Omit<Way, "state" | "random" | "spent">[] = [
  { rule: "lowest", blur: 1, share: 200, growth: 1.05 },
  { rule: "lowest", blur: 0.5, share: 100, growth: 1.05 },
  { rule: "fewest", blur: 0, share: 200, growth: 1.5 },
  { rule: "fewest", blur: 0.1, share: 1000, growth: 1.3 },
  { rule: "bottom up", blur: 0, share: 1000, growth: 1.6 },
];

export function searchOffsets(buffers: Buffers, capacityBytes: number, maxNodes: number): Search {
  if (buffers.bytes.length > MAX_SEARCHED_BUFFERS) return { offsets: undefined, isInfeasible: false, nodes: 0 };
  const sections = sectionsOf(buffers);
  const fromBottom = bottomUp(buffers, sections, capacityBytes);
  // Each with weights of its own: what is hard for one way is not for another.
  const ways = WAYS.map((way): Way => ({
    ...way,
    state: bounds(buffers.bytes, sections, capacityBytes),
    random: randomOf(1),
    spent: 0,
  }));
  if (!ways.every(({ state }) => state.propagateAll())) return { offsets: undefined, isInfeasible: true, nodes: 0 };
  let nodes = 0;
  while (nodes < maxNodes) {
    const way = ways.reduce((least, each) => (each.spent < least.spent ? each : least));
    const budget = Math.min(way.share, maxNodes - nodes);
    way.share = Math.ceil(way.share * way.growth);
    const { outcome, offsets, used } =
      way.rule === "bottom up" ? fromBottom(budget) : inOrder(way, way.rule, buffers, budget);
    nodes += used;
    // A node without propagation takes a small part of the time.
    way.spent += way.rule === "bottom up" ? used / 4 : used;
    if (outcome !== "aborted") return { offsets, isInfeasible: outcome === "infeasible", nodes };
  }
  return { offsets: undefined, isInfeasible: false, nodes };
}

export interface Turn {
  readonly outcome: Outcome;
  readonly offsets: Float64Array | undefined;
  /** Nodes. */
  readonly used: number;
}

function inOrder({ state, blur, random }: Way, rule: Rule, buffers: Buffers, budget: number): Turn {
  const tree = { left: budget, rule, blur, random };
  const mark = state.mark();
  const outcome = branch(state, buffers, tree);
  const offsets = outcome === "solved" ? state.offsets() : undefined;
  state.undo(mark);
  return { outcome, offsets, used: budget - tree.left };
}

export type Outcome = "solved" | "infeasible" | "aborted";

interface Tree {
  left: number;
  readonly rule: Rule;
  readonly blur: number;
  readonly random: () => number;
}

function branch(state: Bounds, buffers: Buffers, tree: Tree): Outcome {
  const choice = state.choose(tree.rule);
  if (choice === undefined) return "solved";
  const { section, end, candidates } = choice;
  const { lower, upper } = buffers;
  // Long ones first among those that can go equally low.
  const length = new Map(
    candidates.map((b) => [b, (upper[b]! - lower[b]!) * Math.exp(tree.blur * (tree.random() - 0.5))]),
  );
  const tried = candidates.toSorted(
    (a, b) => state.bound(end, a) - state.bound(end, b) || length.get(b)! - length.get(a)! || a - b,
  );
  for (const b of tried) {
    if (tree.left <= 0) return "aborted";
    tree.left--;
    const mark = state.mark();
    if (state.putFirst(section, end, b)) {
      const outcome = branch(state, buffers, tree);
      if (outcome !== "infeasible") return outcome;
    }
    state.undo(mark);
  }
  return "infeasible";
}
