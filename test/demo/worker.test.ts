/** The worker's parts that need no browser: hashes of bits, the clock, the meter of the wasm heap. */
import { describe, expect, test } from "vitest";
import { clockResolution } from "../../demo/src/worker/clock.ts";
import { AllocationCount } from "../../demo/src/worker/count.ts";
import { BitHash } from "../../demo/src/worker/fingerprint.ts";

describe("a hash of bits", () => {
  const hash = (...values: number[]): string => new BitHash().add(Float32Array.from(values)).text;

  test("tells apart what compares as equal, and what differs in one bit", () => {
    expect(hash(0)).not.toBe(hash(-0));
    expect(hash(1, 2)).not.toBe(hash(2, 1));
    expect(hash(1)).not.toBe(hash(1 + 2 ** -23));
    expect(hash(Number.NaN)).toBe(hash(Number.NaN));
  });

  test("takes a view wherever it begins", () => {
    const whole = new Uint8Array([9, ...new Uint8Array(Float32Array.of(3, 4).buffer)]);
    expect(new BitHash().add(whole.subarray(1)).text).toBe(hash(3, 4));
  });

  test("goes on where it was", () => {
    const parts = new BitHash().add(Float32Array.of(1)).add(Float32Array.of(2));
    expect(parts.text).toBe(hash(1, 2));
    expect(parts.text).toMatch(/^[0-9a-f]{32}$/);
  });
});

test("the clock's resolution is its smallest step", () => {
  let ticks = 0;
  expect(clockResolution(() => Math.floor(ticks++ / 10) * 0.5)).toBe(0.5);
});

test("the count keeps the peak since the cap, and the first refusal", () => {
  const count = new AllocationCount("how it counts");
  count.add(70);
  count.subtract(30);
  expect(count.peakBytes).toBe(70);
  count.cap(100, "throw");
  expect(count.exceeds(60)).toBe(false);
  expect(count.exceeds(61)).toBe(true);
  count.refuse(61, "full");
  count.refuse(99, "full again");
  expect(count.peakBytes).toBe(40);
  expect(count.refusal).toEqual({ neededBytes: 61, allocatedBytes: 40, error: "full" });
});
