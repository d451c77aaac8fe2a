/** The webgpu backend, in Chromium. Skipped, and says so, without one. */
import { expect, test } from "vitest";
import { ATTENTION, BATCH_NORM, LSTM, RESNET, VGG, conformanceInBrowser } from "./support/conformance.ts";
import { describeInBrowser } from "./support/describe.ts";

describeInBrowser("webgpu", (browser) => {
  test("a chain of 16 layers trains in a quarter of what stock allocates, never over the budget", async () => {
    const report = await browser().run("page", "trainInFraction", "webgpu", 0.25);
    expect(report).toMatchObject({ isEqual: true, isVirtual: true, mode: "planned" });
    expect(report.peakBytes).toBeLessThanOrEqual(report.budgetBytes);
    expect(report.allocatedBytes[0]).toBe(report.allocatedBytes[1]);
  });

  test("a synchronous optimizer.minimize is refused and told what to call", async () => {
    expect(await browser().run("page", "minimizeAtOnce", "webgpu")).toMatchObject({
      code: "ERR_BACKEND",
      message: expect.stringMatching(/await session\.minimize\(optimizer, f\)/),
    });
  });

  test("training goes on through sessions of several policies", async () => {
    expect(await browser().run("page", "changePolicies", "webgpu", ["vdnn-all", "none", "auto"])).toBe(true);
  });

  conformanceInBrowser({
    browser,
    backend: "webgpu",
    nets: { page: [VGG, LSTM, BATCH_NORM], worker: [RESNET, ATTENTION] },
  });

  test("the console has no errors", () => {
    expect(browser().errors).toEqual([]);
  });
});
