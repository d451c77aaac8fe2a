/** The webgl backend, in Chromium. Skipped, and says so, without one. */
import { describe, expect, test } from "vitest";
import { ATTENTION, BATCH_NORM, LSTM, LSTM_STACK, RESNET, VGG, conformanceInBrowser } from "./support/conformance.ts";
import { describeInBrowser } from "./support/describe.ts";

describeInBrowser("webgl", (browser) => {
  describe("textures", () => {
    const whole = { hasSameTexels: true, hasSameLayout: true, wasAway: true };

    test.each([
      { shape: [37, 29], isPacked: true },
      { shape: [3, 5, 7, 3], isPacked: true },
      { shape: [1200], isPacked: true },
      { shape: [37, 29], isPacked: false },
      { shape: [2, 64, 64, 3], isPacked: false },
    ])("go away and come back with all their bits: $shape, packed $isPacked", async ({ shape, isPacked }) => {
      expect(await browser().run("page", "roundTrip", shape, isPacked, true)).toEqual({ isPacked, ...whole });
    });

    test("do so on a device that reads four channels only", async () => {
      await browser().page.reload();
      expect(await browser().run("page", "roundTrip", [37, 29], false, false)).toEqual({ isPacked: false, ...whole });
    });

    test("are counted to the byte, slices and padding included", async () => {
      const counts = await browser().run("page", "ledger");
      expect(counts.map(({ counted }) => counted)).toEqual(counts.map(({ used }) => used));
      expect(counts[1]?.counted).toBeGreaterThan(0);
      expect(counts.at(-1)?.counted).toBe(0);
    });

    test("that are being read stay until they were", async () => {
      expect(await browser().run("page", "readWhileTraining")).toEqual([2, 2, 3]);
    });

    test("that are refused come after others have left", async () => {
      // What TensorFlow.js keeps from earlier would serve.
      await browser().page.reload();
      const { isEqual, warnings } = await browser().run("page", "trainWhenRefused");
      expect(isEqual).toBe(true);
      expect(warnings.join()).toMatch(/the device's own allocator refused/);
    });
  });

  describe("device memory", () => {
    test("a chain of 16 layers trains in a quarter of what stock allocates, never over the budget", async () => {
      await browser().page.reload();
      const report = await browser().run("page", "trainInFraction", "webgl", 0.25);
      expect(report).toMatchObject({ isEqual: true, isVirtual: true, mode: "planned" });
      expect(report.peakBytes).toBeLessThanOrEqual(report.budgetBytes);
      expect(report.allocatedBytes[0]).toBe(report.allocatedBytes[1]);
    });
  });

  test("training goes on through sessions of several policies", async () => {
    expect(await browser().run("page", "changePolicies", "webgl", ["vdnn-all", "none", "auto"])).toBe(true);
  });

  conformanceInBrowser({
    browser,
    backend: "webgl",
    nets: { page: [VGG, LSTM_STACK, ATTENTION], worker: [RESNET, LSTM, BATCH_NORM] },
  });

  test("the console has no errors", () => {
    expect(browser().errors).toEqual([]);
  });

  describe("a device that cannot serve", () => {
    test("textures of 16-bit floats are refused", async () => {
      expect(await browser().run("page", "virtualizeHalfFloats")).toMatchObject({
        code: "ERR_BACKEND",
        message: expect.stringMatching(/16-bit floats.*wasm/),
      });
    });

    // The last one: there is no context after it.
    test("a lost context is a typed error, and the session can end", async () => {
      const lost = { code: "ERR_BACKEND", message: expect.stringMatching(/context was lost/) };
      expect(await browser().run("page", "trainWithoutContext")).toMatchObject([lost, lost]);
    });
  });
});
