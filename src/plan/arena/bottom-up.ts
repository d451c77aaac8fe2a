/**
 * Branch and bound for static allocation, after the ideas of MiniMalloc: buffers are placed bottom up, each at the lowest offset
 * that those placed before it allow. A branch ends when some instant cannot hold what is still to be placed there. Effort is
 * counted in nodes, so that the answer does not depend on the machine.
 *
 *   capacity ┐
 *            │ left[s]    bytes still to be placed in section s (see `sections.ts`)
 *   floor[s] ┤            nothing more can be placed in s below this
 *          0 ┘            the branch ends when floor[s] + left[s] > capacity
 */
import type { Buffers } from "./buffers.ts";
import type { Outcome, Turn } from "./search.ts";
import type { Sections } from "./sections.ts";

type Key = "length" | "crowd" | "area";

/** Which buffer is tried first where several could go to the same offset: the longest, the most crowded, the largest. */
const ORDERS: readonly (readonly Key[])[] = [
  ["length", "area", "crowd"],
  ["crowd", "area", "length"],
  ["crowd", "length", "area"],
];

/** Every call is a search from the start in the next order. Arrays are shared by all searches of one problem. */
export function bottomUp(
  { lower, upper, bytes }: Buffers,
  sections: Sections,
  capacity: number,
): (nodes: number) => Turn {
  const n = bytes.length;
  const { first, end, count, members, overlaps } = sections;
  const offsets = new Float64Array(n);
  const isPlaced = new Uint8Array(n);
  const lowest = new Float64Array(n);
  const rank = new Int32Array(n);
  const floor = new Float64Array(count);
  const left = new Float64Array(count);
  /** Buffers still to be placed that live in section s and in the one before. At 0 the problem falls in two there. */
  const crossing = new Int32Array(count);
  /** Old values, to be put back: pairs of index and value. */
  const lowestTrail: number[] = [];
  const floorTrail: number[] = [];
  const seen = new Int32Array(count);
  let stamp = 0;
  let used = 0;
  let budget = 0;

  function solvePart(
    order: readonly Key[],
    part: readonly number[],
    from: number,
    to: number,
    atLeast: number,
  ): Outcome {
    const keys = new Map(
      part.map((b) => {
        let crowd = 0;
        for (let s = first[b]!; s < end[b]!; s++) crowd = Math.max(crowd, left[s]!);
        return [b, { length: end[b]! - first[b]!, crowd, area: (upper[b]! - lower[b]!) * bytes[b]! }];
      }),
    );
    const sorted = part.toSorted((a, b) => {
      for (const key of order) {
        const difference = keys.get(b)![key] - keys.get(a)![key];
        if (difference !== 0) return difference;
      }
      return a - b;
    });
    sorted.forEach((b, i) => (rank[b] = i));
    return branch(order, sorted, from, to, atLeast, -1);
  }

  /** Places one of `open` and all others above or beside it. Offsets never sink, and ranks rise among equal offsets. */
  function branch(
    order: readonly Key[],
    open: readonly number[],
    from: number,
    to: number,
    atLeast: number,
    above: number,
  ): Outcome {
    if (used >= budget) return "aborted";
    used++;
    if (open.length === 0) return "solved";
    // A buffer at or above the top of another that could be there instead leaves a hole for nothing.
    let roof = Number.POSITIVE_INFINITY;
    for (const b of open) roof = Math.min(roof, lowest[b]! + bytes[b]!);
    const next = open.filter((b) => {
      const offset = lowest[b]!;
      return offset < roof && (offset > atLeast || (offset === atLeast && rank[b]! > above));
    });
    next.sort((a, b) => lowest[a]! - lowest[b]! || rank[a]! - rank[b]!);
    for (const b of next) {
      const offset = lowest[b]!;
      const [lowestMark, floorMark] = [lowestTrail.length, floorTrail.length];
      const outcome = place(b) && hasRoom(from, to, offset) ? descend(order, open, b, from, to, offset) : "infeasible";
      undo(b, lowestMark, floorMark);
      if (outcome !== "infeasible") return outcome;
    }
    return "infeasible";
  }

  /** Goes on with what is left, in independent parts where no open buffer lives across. */
  function descend(
    order: readonly Key[],
    open: readonly number[],
    b: number,
    from: number,
    to: number,
    offset: number,
  ): Outcome {
    const cuts = [from];
    for (let s = first[b]! + 1; s < end[b]!; s++) if (--crossing[s]! === 0) cuts.push(s);
    cuts.push(to);
    const rest = open.filter((other) => other !== b);
    let outcome: Outcome = "solved";
    if (cuts.length === 2) {
      outcome = branch(order, rest, from, to, offset, rank[b]!);
    } else {
      // Ranks are dealt anew in each part; the callers need theirs again.
      const ranks = rest.map((other) => rank[other]!);
      const own = rank[b]!;
      for (let c = 1; c < cuts.length && outcome === "solved"; c++) {
        const [begin, stop] = [cuts[c - 1]!, cuts[c]!];
        const part = rest.filter((other) => first[other]! >= begin && first[other]! < stop);
        if (part.length > 0) outcome = solvePart(order, part, begin, stop, 0);
      }
      rest.forEach((other, i) => (rank[other] = ranks[i]!));
      rank[b] = own;
    }
    for (let s = first[b]! + 1; s < end[b]!; s++) crossing[s]! += 1;
    return outcome;
  }

  /** False when some neighbour no longer fits below the capacity. */
  function place(b: number): boolean {
    const top = lowest[b]! + bytes[b]!;
    offsets[b] = lowest[b]!;
    isPlaced[b] = 1;
    for (let s = first[b]!; s < end[b]!; s++) {
      left[s]! -= bytes[b]!;
      raiseFloor(s, top);
    }
    stamp++;
    let fits = true;
    for (let i = overlaps.start[b]!; i < overlaps.start[b + 1]!; i++) {
      const other = overlaps.list[i]!;
      if (isPlaced[other] === 1 || lowest[other]! >= top) continue;
      lowestTrail.push(other, lowest[other]!);
      lowest[other] = top;
      if (top + bytes[other]! > capacity) fits = false;
      for (let s = first[other]!; s < end[other]!; s++) seen[s] = stamp;
    }
    if (!fits) return false;
    for (let s = 0; s < count; s++) {
      if (seen[s] !== stamp) continue;
      let least = Number.POSITIVE_INFINITY;
      for (let i = members.start[s]!; i < members.start[s + 1]!; i++) {
        const other = members.list[i]!;
        if (isPlaced[other] === 0 && lowest[other]! < least) least = lowest[other]!;
      }
      if (least < Number.POSITIVE_INFINITY) raiseFloor(s, least);
    }
    return true;
  }

  function raiseFloor(s: number, value: number): void {
    if (floor[s]! >= value) return;
    floorTrail.push(s, floor[s]!);
    floor[s] = value;
  }

  function hasRoom(from: number, to: number, offset: number): boolean {
    for (let s = from; s < to; s++) if (Math.max(floor[s]!, offset) + left[s]! > capacity) return false;
    return true;
  }

  function undo(b: number, lowestMark: number, floorMark: number): void {
    isPlaced[b] = 0;
    for (let s = first[b]!; s < end[b]!; s++) left[s]! += bytes[b]!;
    while (lowestTrail.length > lowestMark) {
      const value = lowestTrail.pop()!;
      lowest[lowestTrail.pop()!] = value;
    }
    while (floorTrail.length > floorMark) {
      const value = floorTrail.pop()!;
      floor[floorTrail.pop()!] = value;
    }
  }

  let turns = 0;
  return (nodes) => {
    const order = ORDERS[turns++ % ORDERS.length] ?? [];
    for (const array of [lowest, isPlaced, floor, left, crossing]) array.fill(0);
    for (let b = 0; b < n; b++) {
      for (let s = first[b]!; s < end[b]!; s++) left[s]! += bytes[b]!;
      for (let s = first[b]! + 1; s < end[b]!; s++) crossing[s]! += 1;
    }
    used = 0;
    budget = nodes;
    let outcome: Outcome = "solved";
    for (let s = 0; s < count && outcome === "solved";) {
      if (left[s]! > capacity) outcome = "infeasible";
      let stop = s + 1;
      while (stop < count && crossing[stop]! > 0) stop++;
      const part = [...first.keys()].filter((b) => first[b]! >= s && first[b]! < stop);
      if (outcome === "solved") outcome = solvePart(order, part, s, stop, 0);
      s = stop;
    }
    return { outcome, used, offsets: outcome === "solved" ? offsets.slice() : undefined };
  };
}
