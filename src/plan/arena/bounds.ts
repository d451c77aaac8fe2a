/**
 * What follows from an order of buffers: the propagation under `search.ts`. Kept with a trail, so that a branch can be undone.
 *
 * - A pair that overlaps in time is in order (one below the other) or open. An order that does not fit excludes itself.
 * - In a section the buffers not yet in order, together, need their sum between the lowest bound below and the least above.
 * - Who can be lowest (or highest) of them must leave room for the sum; where one buffer alone can, it is.
 */
import type { Sections } from "./sections.ts";

/** The lowest place of a section or its highest. */
export type End = 0 | 1;

/** Which section is branched on: where the floor is lowest, or where fewest buffers can be next, counted less where much failed. */
export type Rule = "lowest" | "fewest";

export interface Choice {
  readonly section: number;
  readonly end: End;
  readonly candidates: readonly number[];
}

export interface Bounds {
  propagateAll(): boolean;
  /** Undefined when all is in order. */
  choose(rule: Rule): Choice | undefined;
  /** Orders b before all others of the section that are not in order yet, from that end. False when nothing fits then. */
  putFirst(section: number, end: End, b: number): boolean;
  bound(end: End, b: number): number;
  mark(): Mark;
  undo(mark: Mark): void;
  offsets(): Float64Array;
}

export interface Mark {
  readonly values: number;
  readonly pairs: number;
  readonly placed: number;
}

const BOTTOM: readonly End[] = [0];
const BOTH: readonly End[] = [0, 1];

export function bounds(bytes: Float64Array, sections: Sections, capacity: number): Bounds {
  const n = bytes.length;
  const { first, end: stop, count, members, overlaps } = sections;
  /** Least bytes below b at index b, least bytes above it at n + b. */
  const bound = new Float64Array(2 * n);
  /** 1 where a is below b, -1 where it is above, 0 while open; index a * n + b. */
  const order = new Int8Array(n * n);
  /** For each membership: 1 once the buffer has its place in that section. */
  const isPlaced = new Uint8Array(members.list.length);
  /** Per section and end, the buffer placed last from there; -1 for none. */
  const edge = new Int32Array(2 * count).fill(-1);
  const weight = new Float64Array(count).fill(1);
  const valueTrail: number[] = [];
  const pairTrail: number[] = [];
  const placedTrail: number[] = [];
  const queue: number[] = [];
  const isQueued = new Uint8Array(n);
  const dirty: number[] = [];
  const isDirty = new Uint8Array(count);
  /** Section of the pair that did not fit. */
  let culprit = 0;

  function raise(end: End, b: number, value: number): void {
    const i = end * n + b;
    if (bound[i]! >= value) return;
    valueTrail.push(i, bound[i]!);
    bound[i] = value;
    touch(b);
  }

  function touch(b: number): void {
    if (isQueued[b] === 1) return;
    isQueued[b] = 1;
    queue.push(b);
  }

  /** Says that a is below b. False when it is known to be above. */
  function setBelow(a: number, b: number): boolean {
    const known = order[a * n + b]!;
    if (known !== 0) return known === 1;
    order[a * n + b] = 1;
    order[b * n + a] = -1;
    pairTrail.push(a, b);
    touch(a);
    touch(b);
    return true;
  }

  function fits(a: number, b: number): boolean {
    return bound[a]! + bytes[a]! + bytes[b]! + bound[n + b]! <= capacity;
  }

  function propagate(): boolean {
    let head = 0;
    while (head < queue.length || dirty.length > 0) {
      const b = queue[head++];
      if (b === undefined) {
        head = 0;
        queue.length = 0;
        const s = dirty.shift()!;
        isDirty[s] = 0;
        if (!checkSection(s)) return failed(s);
        continue;
      }
      isQueued[b] = 0;
      if (!checkPairs(b)) return failed(culprit);
      for (let s = first[b]!; s < stop[b]!; s++) {
        if (isDirty[s] === 1) continue;
        isDirty[s] = 1;
        dirty.push(s);
      }
    }
    queue.length = 0;
    return true;
  }

  function failed(s: number): false {
    weight[s]! += 1;
    for (const b of queue) isQueued[b] = 0;
    for (const each of dirty) isDirty[each] = 0;
    queue.length = 0;
    dirty.length = 0;
    return false;
  }

  function checkPairs(b: number): boolean {
    culprit = (first[b]! + stop[b]! - 1) >> 1;
    if (bound[b]! + bytes[b]! + bound[n + b]! > capacity) return false;
    for (let i = overlaps.start[b]!; i < overlaps.start[b + 1]!; i++) {
      const other = overlaps.list[i]!;
      if (order[b * n + other] === 0) {
        const [canBeBelow, canBeAbove] = [fits(b, other), fits(other, b)];
        if (!canBeBelow && !canBeAbove) {
          culprit = Math.max(first[b]!, first[other]!);
          return false;
        }
        if (!canBeBelow) setBelow(other, b);
        else if (!canBeAbove) setBelow(b, other);
      }
      const relation = order[b * n + other]!;
      if (relation === 1) {
        raise(0, other, bound[b]! + bytes[b]!);
        raise(1, b, bound[n + other]! + bytes[other]!);
      } else if (relation === -1) {
        raise(0, b, bound[other]! + bytes[other]!);
        raise(1, other, bound[n + b]! + bytes[b]!);
      }
    }
    return true;
  }

  /** Buffers of the section without a place. */
  function openOf(s: number): number[] {
    const open: number[] = [];
    for (let i = members.start[s]!; i < members.start[s + 1]!; i++) if (isPlaced[i] === 0) open.push(members.list[i]!);
    return open;
  }

  function checkSection(s: number): boolean {
    const open = openOf(s);
    if (open.length === 0) return true;
    let sum = 0;
    for (const b of open) sum += bytes[b]!;
    const least = [leastOf(open, 0), leastOf(open, 1)] as const;
    if (least[0].value + sum + least[1].value > capacity) return false;
    for (const end of BOTH) {
      // All that is open lies between what was placed from both ends.
      const last = edge[end * count + s]!;
      const other: End = end === 0 ? 1 : 0;
      if (last >= 0) raise(other, last, least[other].value + sum);
      const candidates = candidatesOf(open, end, sum, least[other], 2);
      if (candidates.length === 0) return false;
      if (candidates.length === 1) return place(s, end, candidates[0]!, open);
    }
    return true;
  }

  interface Least {
    readonly who: number;
    readonly value: number;
    readonly second: number;
  }

  function leastOf(open: readonly number[], end: End): Least {
    let who = -1;
    let value = Number.POSITIVE_INFINITY;
    let second = Number.POSITIVE_INFINITY;
    for (const b of open) {
      const each = bound[end * n + b]!;
      if (each < value) {
        second = value;
        value = each;
        who = b;
      } else if (each < second) second = each;
    }
    return { who, value, second };
  }

  /** Who can be next from that end; no more than `most` of them, for who only wants to know whether there are as many. */
  function candidatesOf(open: readonly number[], end: End, sum: number, opposite: Least, most: number): number[] {
    if (open.length === 1) return [...open];
    const before = end === 0 ? -1 : 1;
    const found: number[] = [];
    for (const b of open) {
      const beyond = opposite.who === b ? opposite.second : opposite.value;
      if (bound[end * n + b]! + sum + beyond > capacity) continue;
      if (isBehind(open, b, before)) continue;
      found.push(b);
      if (found.length >= most) break;
    }
    return found;
  }

  /** One of the open buffers must come before b. */
  function isBehind(open: readonly number[], b: number, before: number): boolean {
    for (const other of open) if (order[b * n + other] === before) return true;
    return false;
  }

  function place(s: number, end: End, b: number, open: readonly number[]): boolean {
    for (const other of open) {
      if (other !== b && !(end === 0 ? setBelow(b, other) : setBelow(other, b))) return false;
    }
    for (let i = members.start[s]!; i < members.start[s + 1]!; i++) {
      if (members.list[i] !== b) continue;
      isPlaced[i] = 1;
      placedTrail.push(i, end * count + s, edge[end * count + s]!);
      edge[end * count + s] = b;
    }
    if (isDirty[s] === 0) {
      isDirty[s] = 1;
      dirty.push(s);
    }
    return true;
  }

  return {
    propagateAll() {
      for (let b = 0; b < n; b++) touch(b);
      return propagate();
    },
    choose(rule) {
      let best: Choice | undefined;
      let [bestFloor, bestScore] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
      for (let s = 0; s < count; s++) {
        const open = openOf(s);
        if (open.length < 2) continue;
        let sum = 0;
        for (const b of open) sum += bytes[b]!;
        const least = [leastOf(open, 0), leastOf(open, 1)] as const;
        const floor = rule === "lowest" ? least[0].value : 0;
        if (floor > bestFloor) continue;
        for (const end of rule === "lowest" ? BOTTOM : BOTH) {
          const most = floor < bestFloor ? open.length : Math.min(open.length, bestScore * weight[s]!);
          const candidates = candidatesOf(open, end, sum, least[end === 0 ? 1 : 0], most);
          const score = candidates.length / weight[s]!;
          if (floor === bestFloor && score >= bestScore) continue;
          [bestFloor, bestScore] = [floor, score];
          best = { section: s, end, candidates };
        }
      }
      return best;
    },
    putFirst(section, end, b) {
      return (place(section, end, b, openOf(section)) || failed(section)) && propagate();
    },
    bound: (end, b) => bound[end * n + b]!,
    mark: () => ({ values: valueTrail.length, pairs: pairTrail.length, placed: placedTrail.length }),
    undo({ values, pairs, placed }) {
      while (valueTrail.length > values) {
        const value = valueTrail.pop()!;
        bound[valueTrail.pop()!] = value;
      }
      while (pairTrail.length > pairs) {
        const b = pairTrail.pop()!;
        const a = pairTrail.pop()!;
        order[a * n + b] = 0;
        order[b * n + a] = 0;
      }
      while (placedTrail.length > placed) {
        const last = placedTrail.pop()!;
        edge[placedTrail.pop()!] = last;
        isPlaced[placedTrail.pop()!] = 0;
      }
    },
    offsets: () => bound.slice(0, n),
  };
}
