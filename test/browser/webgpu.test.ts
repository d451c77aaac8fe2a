/** The webgpu backend, in Chromium. Skipped, and says so, without one. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Browser, openBrowser, TIMEOUT_MS } from "./support/browser.ts";
import { whyNoChromium } from "./support/chromium.ts";
import { ATTENTION, BATCH_NORM, LSTM, RESNET, VGG, conformanceInBrowser } from "./support/conformance.ts";

const absent = whyNoChromium();

describe.skipIf(absent !== undefined)(
  `webgpu${absent === undefined ? "" : ` (${absent})`}`,
  { timeout: TIMEOUT_MS },
  () => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await openBrowser();
    });
    afterAll(() => browser.close());

    test("a chain of 16 layers trains in a quarter of what stock allocates, never over the budget", async () => {
      const report = await browser.run("page", "trainInFraction", "webgpu", 0.25);
      expect(report).toMatchObject({ isEqual: true, mode: "planned" });
      expect(report.peakBytes).toBeLessThanOrEqual(report.budgetBytes);
      expect(report.allocatedBytes[0]).toBe(report.allocatedBytes[1]);
    });

    test("a synchronous optimizer.minimize is refused and told what to call", async () => {
      expect(await browser.run("page", "minimizeAtOnce", "webgpu")).toMatchObject({
        code: "ERR_BACKEND",
        message: expect.stringMatching(/await session\.minimize\(optimizer, f\)/),
      });
    });

    test("training goes on through sessions of several policies", async () => {
      expect(await browser.run("page", "changePolicies", "webgpu", ["vdnn-all", "none", "auto"])).toBe(true);
    });

    conformanceInBrowser({
      browser: () => browser,
      backend: "webgpu",
      nets: { page: [VGG, LSTM, BATCH_NORM], worker: [RESNET, ATTENTION] },
    });

    test("the console has no errors", () => {
      expect(browser.errors).toEqual([]);
    });
  },
);
