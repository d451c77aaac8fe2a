import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HostPool, type HostSlot, paddedView } from "../../src/memory/host-pool.ts";
import { ARRAY_SEGMENTS } from "../../src/memory/segments.ts";
import { SHARED_SEGMENTS } from "../../src/memory/shared-segments.ts";
import { KIB, MIB } from "../../src/units.ts";

const PAGE = 64 * KIB;

describe.each([
  ["shared memory", SHARED_SEGMENTS, SharedArrayBuffer],
  ["array buffers", ARRAY_SEGMENTS, ArrayBuffer],
] as const)("HostPool in %s", (_name, segments, kind) => {
  it("gives exact views with the padding behind them", () => {
    const pool = new HostPool({ capacityBytes: 4 * MIB, segments });
    const slot = pool.allocate(5000)!;
    expect(slot).toMatchObject({ segment: 0, offset: 0, bytes: 5000, paddedBytes: 8192 });
    expect(slot.view).toHaveLength(5000);
    expect(slot.view.buffer).toBeInstanceOf(kind);
    expect(paddedView(slot)).toHaveLength(8192);
    expect(pool.usedBytes).toBe(8192);
    expect(pool.allocate(0)!.view).toHaveLength(0);
  });

  it("never grows beyond its capacity and reuses before it grows", () => {
    const pool = new HostPool({ capacityBytes: 4 * PAGE + 1000, segments });
    const slots = Array.from({ length: 4 }, () => pool.allocate(PAGE)!);
    expect(pool.footprintBytes).toBe(4 * PAGE);
    expect(pool.allocate(1)).toBeUndefined();
    pool.free(slots[1]!);
    pool.free(slots[2]!);
    expect(pool.allocate(2 * PAGE)).toMatchObject({ offset: PAGE });
    expect(pool.footprintBytes).toBe(4 * PAGE);
    expect(pool.peakBytes).toBe(4 * PAGE);
  });

  it("gives a slot larger than a segment one of its own size", () => {
    const pool = new HostPool({ capacityBytes: Infinity, segmentBytes: 2 * PAGE, segments });
    pool.allocate(PAGE);
    expect(pool.allocate(7 * PAGE)).toMatchObject({ segment: 1, offset: 0 });
    expect(pool.memories).toHaveLength(2);
    expect(pool.allocate(5 * 2 ** 30)).toBeUndefined();
  });

  it("refuses a slot that is free already or of another pool", () => {
    const pool = new HostPool({ capacityBytes: MIB, segments });
    const slot = pool.allocate(10)!;
    pool.free(slot);
    expect(() => pool.free(slot)).toThrow(expect.objectContaining({ code: "ERR_HOST_MEMORY" }));
    const foreign = new HostPool({ capacityBytes: MIB, segments }).allocate(10)!;
    expect(() => pool.free(foreign)).toThrow(/foreign/);
    expect(() => pool.allocate(-1)).toThrow(expect.objectContaining({ code: "ERR_INVALID_OPTION" }));
  });

  it("keeps slots aligned, disjoint and accounted for over five segments, and ends as one free range each", () => {
    const capacityBytes = 20 * PAGE;
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ allocate: fc.integer({ min: 0, max: 3 * PAGE }) }) },
      { weight: 2, arbitrary: fc.record({ free: fc.nat() }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), fc.constantFrom(64, 4096, PAGE), (steps, alignment) => {
        const pool = new HostPool({ capacityBytes, alignment, segmentBytes: 4 * PAGE, segments });
        const live: { slot: HostSlot; mark: number }[] = [];
        let mark = 0;
        const used = (): number => live.reduce((sum, { slot }) => sum + slot.paddedBytes, 0);
        const check = (item: (typeof live)[number]): void => {
          // The view is filled with its own mark: any overlap shows as another mark.
          expect(item.slot.view.every((byte) => byte === item.mark)).toBe(true);
        };
        for (const action of steps) {
          if ("allocate" in action) {
            const slot = pool.allocate(action.allocate);
            if (slot === undefined) {
              expect(used() + action.allocate + alignment).toBeGreaterThan(PAGE);
              continue;
            }
            mark = (mark + 1) % 251;
            paddedView(slot).fill(mark);
            expect(slot.offset % alignment).toBe(0);
            expect(slot.view.byteLength).toBe(action.allocate);
            live.push({ slot, mark });
          } else if (live.length > 0) {
            const [item] = live.splice(action.free % live.length, 1);
            check(item!);
            pool.free(item!.slot);
          }
          expect(pool.usedBytes).toBe(used());
          expect(pool.footprintBytes).toBeLessThanOrEqual(capacityBytes);
          expect(pool.footprintBytes).toBe(pool.memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0));
        }
        for (const item of live) {
          check(item);
          pool.free(item.slot);
        }
        expect(pool.usedBytes).toBe(0);
        // Largest first, so that each segment is met as a whole; it fits only if it is one range.
        const sizes = pool.memories.map(({ buffer }) => buffer.byteLength).toSorted((a, b) => b - a);
        const before = pool.footprintBytes;
        for (const size of sizes) expect(pool.allocate(size)).toMatchObject({ offset: 0 });
        expect(pool.footprintBytes).toBe(before);
      }),
      { numRuns: 60 },
    );
  });

  it("says no only when no range is large enough and the capacity is used up", () => {
    const pool = new HostPool({ capacityBytes: 10 * PAGE, segmentBytes: 4 * PAGE, segments });
    let count = 0;
    while (pool.allocate(PAGE) !== undefined) count += 1;
    expect(count).toBe(10);
  });
});

describe("HostPool", () => {
  it("uses the last bytes of the capacity even across a segment boundary", () => {
    const pool = new HostPool({ capacityBytes: 5 * PAGE, segmentBytes: 2 * PAGE, segments: SHARED_SEGMENTS });
    expect(pool.allocate(PAGE * 1.5)).toBeDefined();
    // 3.5 pages are left: half a page of them in the first segment, which must grow past its usual size
    expect(pool.allocate(3.5 * PAGE)).toBeDefined();
    expect(pool.usedBytes).toBe(pool.capacityBytes);
  });

  it("takes a capacity that fits one buffer as one, whose last bytes count, and less where the system refuses", () => {
    const pool = new HostPool({ capacityBytes: 256 * MIB, segments: ARRAY_SEGMENTS });
    expect(pool.allocate(100 * MIB)).toMatchObject({ segment: 0 });
    expect(pool.allocate(156 * MIB)).toMatchObject({ segment: 0, offset: 100 * MIB });
    const asked: number[] = [];
    const begin = (bytes: number) => {
      asked.push(bytes);
      if (bytes > 100 * MIB) throw new RangeError("Array buffer allocation failed");
      return ARRAY_SEGMENTS.begin(bytes);
    };
    const poor = new HostPool({ capacityBytes: 256 * MIB, segments: { ...ARRAY_SEGMENTS, begin } });
    expect(poor.allocate(10 * MIB)).toMatchObject({ segment: 0, offset: 0 });
    expect(asked).toEqual([256 * MIB, 128 * MIB, 64 * MIB]);
    expect(poor.footprintBytes).toBe(64 * MIB);
  });

  it("doubles array buffers where there is no capacity", () => {
    const pool = new HostPool({ capacityBytes: Infinity, segments: ARRAY_SEGMENTS });
    for (let i = 0; i < 3; i++) pool.allocate(60 * MIB);
    expect(pool.memories.map(({ buffer }) => buffer.byteLength)).toEqual([64 * MIB, 64 * MIB, 128 * MIB]);
  });
});
