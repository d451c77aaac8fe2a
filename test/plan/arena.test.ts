/** Static offsets: always valid by the independent check, at the least possible size where that is known, and within 2 % on plans. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { allocate, arenaOf } from "../../src/plan/arena.ts";
import { buffersOf, peakBytes, validateOffsets } from "../../src/plan/arena/buffers.ts";
import { parseBuffers } from "../../src/plan/arena/csv.ts";
import { searchOffsets } from "../../src/plan/arena/search.ts";
import { dryRun } from "../../src/plan/ledger.ts";
import { policies } from "../../src/plan/policies/index.ts";
import { chainGraph, chainShapes } from "../support/graphs.ts";

const PROBLEMS = path.join(import.meta.dirname, "../../../shared/data/minimalloc");

const lists = fc.array(
  fc.record({ lower: fc.nat({ max: 20 }), length: fc.integer({ min: 1, max: 10 }), bytes: fc.nat({ max: 30 }) }),
  { maxLength: 25 },
);
const problems = lists.map((list) =>
  buffersOf(list.map(({ lower, length, bytes }) => ({ lower, upper: lower + length, bytes }))),
);

describe("allocate", () => {
  test("gives offsets that keep every pair apart, no lower than the peak", () => {
    fc.assert(
      fc.property(problems, (buffers) => {
        const { offsets, arenaBytes, peakBytes: peak } = allocate(buffers, { maxNodes: 2000, maxPlacements: 500 });
        validateOffsets(buffers, offsets, arenaBytes);
        expect(peak).toBe(peakBytes(buffers));
        expect(arenaBytes).toBeGreaterThanOrEqual(peak);
      }),
      { numRuns: 300 },
    );
  });

  test("finds again what was cut from one block without a gap", () => {
    // A block of 12 x 24 cells, cut by recursive halving at random places.
    const cuts = fc.array(fc.tuple(fc.boolean(), fc.double({ min: 0.2, max: 0.8, noNaN: true })), {
      minLength: 30,
      maxLength: 30,
    });
    fc.assert(
      fc.property(cuts, (plan) => {
        const pieces = [{ lower: 0, upper: 24, bytes: 12 }];
        for (const [isTime, share] of plan) {
          const piece = pieces.shift();
          if (piece === undefined) break;
          const { lower, upper, bytes } = piece;
          const at = lower + Math.max(1, Math.floor((upper - lower) * share));
          const size = Math.max(1, Math.floor(bytes * share));
          if (isTime && at < upper) pieces.push({ lower, upper: at, bytes }, { lower: at, upper, bytes });
          else if (size < bytes) pieces.push({ lower, upper, bytes: size }, { lower, upper, bytes: bytes - size });
          else pieces.push(piece);
        }
        const { arenaBytes } = allocate(buffersOf(pieces), { maxNodes: 20_000, maxPlacements: 2000 });
        expect(arenaBytes).toBe(12);
      }),
      { numRuns: 100 },
    );
  });

  test("takes no arena for nothing", () => {
    expect(allocate(buffersOf([]))).toMatchObject({ arenaBytes: 0, peakBytes: 0, nodes: 0 });
  });
});

describe("searchOffsets", () => {
  test("agrees with trying every order of placement", () => {
    const few = lists.map((list) =>
      list.slice(0, 6).map(({ lower, length, bytes }) => ({ lower, upper: lower + length, bytes: bytes + 1 })),
    );
    fc.assert(
      fc.property(few, (list) => {
        const buffers = buffersOf(list);
        const least = leastArena(list);
        const found = searchOffsets(buffers, least, 100_000);
        expect(found.offsets).toBeDefined();
        if (found.offsets !== undefined) validateOffsets(buffers, found.offsets, least);
        if (least > 0) expect(searchOffsets(buffers, least - 1, 100_000).isInfeasible).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  test("says when it gives up", () => {
    const list = Array.from({ length: 60 }, (_, i) => ({
      lower: i % 7,
      upper: (i % 7) + 2 + (i % 5),
      bytes: 3 + ((i * 7) % 11),
    }));
    const buffers = buffersOf(list);
    const { offsets, isInfeasible, nodes } = searchOffsets(buffers, peakBytes(buffers), 10);
    expect(offsets === undefined && !isInfeasible ? nodes : 10).toBeLessThanOrEqual(10);
  });
});

/** Every order, each buffer at the lowest place: one of them is the least. */
function leastArena(
  list: readonly { readonly lower: number; readonly upper: number; readonly bytes: number }[],
): number {
  let least = Number.POSITIVE_INFINITY;
  const offsets: (number | undefined)[] = [];
  const descend = (open: readonly number[], top: number): void => {
    if (top >= least) return;
    if (open.length === 0) least = top;
    for (const b of open) {
      const { lower = 0, upper = 0, bytes = 0 } = list[b] ?? {};
      const beside = list.flatMap((other, i) =>
        offsets[i] !== undefined && other.lower < upper && lower < other.upper
          ? [[offsets[i], offsets[i] + other.bytes] as const]
          : [],
      );
      const isFree = (at: number): boolean => beside.every(([from, to]) => at + bytes <= from || to <= at);
      const at = [0, ...beside.map(([, to]) => to)].filter(isFree).toSorted((x, y) => x - y)[0] ?? 0;
      offsets[b] = at;
      descend(
        open.filter((other) => other !== b),
        Math.max(top, at + bytes),
      );
      offsets[b] = undefined;
    }
  };
  descend([...list.keys()], 0);
  return least;
}

describe("arenaOf", () => {
  test.each(policies.map((policy) => [policy.name, policy] as const))(
    "lays out plans of %s within 2 % of their peak",
    (_name, policy) => {
      const machine = {
        name: "test",
        deviceBytes: Number.POSITIVE_INFINITY,
        hostBytes: Number.POSITIVE_INFINITY,
        offloadGBps: 1,
        prefetchGBps: 1,
      };
      fc.assert(
        fc.property(chainShapes, (shape) => {
          const graph = chainGraph(shape);
          const { steps } = policy.decide(graph, machine);
          const { stays, arenaBytes, peakBytes: peak } = arenaOf(graph, steps);
          expect(peak).toBe(dryRun(graph, steps).peakDeviceBytes);
          expect(arenaBytes).toBeLessThanOrEqual(peak * 1.02);
          const lives = stays.map(({ from, to, bytes }) => ({ lower: from, upper: to, bytes }));
          validateOffsets(
            buffersOf(lives),
            Float64Array.from(stays, ({ offset }) => offset),
            arenaBytes,
          );
        }),
        { numRuns: 30 },
      );
    },
  );
});

describe("the reader of problems", () => {
  test.each([
    ["no size", "id,lower,upper\n0,1,2\n", /:1: .*size/],
    ["a negative start", "id,lower,upper,size\n0,-1,2,3\n", /:2: lower/],
    ["an end before its start", "id,lower,upper,size\n0,1,2,3\n1,5,5,3\n", /:3: .*lower < upper/],
    ["words", "id,lower,upper,size\n0,1,2,many\n", /:2: size/],
  ])("refuses %s", (_what, text, message) => {
    expect(() => parseBuffers(text, "file.csv")).toThrowError(message);
  });
});

describe.skipIf(!existsSync(PROBLEMS))("MiniMalloc's problems", () => {
  const names = existsSync(PROBLEMS) ? readdirSync(PROBLEMS).filter((name) => name.endsWith(".csv")) : [];
  // The quickest of them; all 11 are `benchmarks/arena.ts`.
  test.each(names.filter((name) => /^[CHK]/.test(name)))("%s fits its capacity", (name) => {
    const { buffers } = parseBuffers(readFileSync(path.join(PROBLEMS, name), "utf8"), name);
    const capacity = Number(name.split(".")[1]);
    const { offsets, arenaBytes } = allocate(buffers, { goalBytes: capacity, maxNodes: 500_000 });
    expect(arenaBytes).toBeLessThanOrEqual(capacity);
    validateOffsets(buffers, offsets, capacity);
  });
});
