/**
 * Time cut into sections: the largest sets of buffers that live at once. Two buffers overlap in time exactly when they share a
 * section, and a buffer lives in consecutive ones, so that starts and ends can be forgotten.
 *
 *   a ======            section 0: a, b
 *   b    =========      section 1: b, c
 *   c           =====
 */
import type { Buffers } from "./buffers.ts";

/** Lists laid end to end: list k is `list[start[k]]` up to `list[start[k + 1]]`. */
export interface Lists {
  readonly start: Int32Array;
  readonly list: Int32Array;
}

export interface Sections {
  readonly count: number;
  /** Buffer b lives in the sections [first[b], end[b]). */
  readonly first: Int32Array;
  readonly end: Int32Array;
  /** Buffers of each section. */
  readonly members: Lists;
  /** For each buffer the others that live with it. */
  readonly overlaps: Lists;
}

export function sectionsOf({ lower, upper }: Buffers): Sections {
  const n = lower.length;
  // Ends before starts at the same instant: lifetimes are half-open.
  const events = Int32Array.from({ length: 2 * n }, (_, i) => i).sort((a, b) => time(a) - time(b) || kind(a) - kind(b));
  const first = new Int32Array(n);
  const end = new Int32Array(n);
  let count = 0;
  let isOpen = false;
  for (const event of events) {
    if (kind(event) === 1) {
      first[event >> 1] = count;
      isOpen = true;
    } else {
      // A set is largest where the next thing to happen is an end.
      if (isOpen) count++;
      isOpen = false;
      end[event >> 1] = count;
    }
  }
  const members = lists(count, (put) => {
    for (let b = 0; b < n; b++) for (let s = first[b]!; s < end[b]!; s++) put(s, b);
  });
  const byStart = Int32Array.from({ length: n }, (_, b) => b).sort((a, b) => first[a]! - first[b]!);
  const overlaps = lists(n, (put) => {
    for (let i = 0; i < n; i++) {
      const b = byStart[i]!;
      for (let j = i + 1; j < n && first[byStart[j]!]! < end[b]!; j++) {
        put(b, byStart[j]!);
        put(byStart[j]!, b);
      }
    }
  });
  return { count, first, end, members, overlaps };

  function time(event: number): number {
    return (event & 1) === 1 ? lower[event >> 1]! : upper[event >> 1]!;
  }
}

/** 1 for a start, 0 for an end. */
function kind(event: number): number {
  return event & 1;
}

/** Runs `fill` twice: to count and to write. */
function lists(count: number, fill: (put: (k: number, value: number) => void) => void): Lists {
  const start = new Int32Array(count + 1);
  fill((k) => (start[k + 1]! += 1));
  for (let k = 0; k < count; k++) start[k + 1]! += start[k]!;
  const list = new Int32Array(start[count]!);
  const next = start.slice();
  fill((k, value) => (list[next[k]!++] = value));
  return { start, list };
}
