/** What the meter learns of a kernel, and of the bandwidths that plans are made with. */
import { describe, expect, it } from "vitest";
import { newBlock } from "../../src/runtime/block.ts";
import { Meter } from "../../src/runtime/meter.ts";

function meterAt(clock: { ms: number }): Meter {
  return new Meter(() => clock.ms, null);
}

describe("the window over a kernel", () => {
  it("tells what the kernel needed, not what was there: others may have left while it ran", () => {
    const meter = meterAt({ ms: 0 });
    meter.openWindow(100);
    meter.grown(120);
    meter.left(50, 70);
    meter.grown(100);
    expect(meter.windowPeakBytes).toBe(150);
    meter.openWindow(100);
    expect(meter.windowPeakBytes).toBe(100);
  });
});

describe("a bandwidth", () => {
  it("is that of the latest iteration that copied: the first copies meet cold memory", () => {
    const clock = { ms: 0 };
    const meter = meterAt(clock);
    const block = newBlock(0, 0, {}, [250], "float32", 1000);
    const copy = (ms: number): void => {
      const start = clock.ms;
      clock.ms += ms;
      meter.moved("offload", block, start, 0);
    };
    expect(meter.gigabytesPerSecond("offload")).toBeUndefined();
    meter.begin(0);
    copy(10);
    meter.begin(0);
    copy(1);
    copy(3);
    expect(meter.gigabytesPerSecond("offload")).toBeCloseTo(2000 / 4 / 1e6);
    meter.begin(0);
    expect(meter.gigabytesPerSecond("offload")).toBeCloseTo(2000 / 4 / 1e6);
  });
});
