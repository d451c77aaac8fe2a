/** The webgpu backend, in Chromium. Skipped, and says so, without one. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Browser, openBrowser } from "./support/browser.ts";
import { whyNoChromium } from "./support/chromium.ts";
import { conformanceInBrowser, NETS } from "./support/conformance.ts";

const TIMEOUT_MS = 300_000;
const absent = whyNoChromium();

describe.skipIf(absent !== undefined)(`webgpu${absent === undefined ? "" : ` (${absent})`}`, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser.close());

  test(
    "a chain of 16 layers trains in a quarter of what stock allocates, never over the budget",
    {
      timeout: TIMEOUT_MS,
    },
    async () => {
      const report = await browser.run("page", "trainInFraction", "webgpu", 0.25);
      expect(report).toMatchObject({ isEqual: true, mode: "planned" });
      expect(report.peakBytes).toBeLessThanOrEqual(report.budgetBytes);
      expect(report.allocatedBytes[0]).toBe(report.allocatedBytes[1]);
    },
  );

  test("a synchronous optimizer.minimize is refused and told what to call", async () => {
    expect(await browser.run("page", "minimizeAtOnce", "webgpu")).toMatchObject({
      code: "ERR_BACKEND",
      message: expect.stringMatching(/await session\.minimize\(optimizer, f\)/),
    });
  });

  test("training goes on through sessions of several policies", { timeout: TIMEOUT_MS }, async () => {
    expect(await browser.run("page", "changePolicies", "webgpu", ["vdnn-all", "none", "auto"])).toBe(true);
  });

  conformanceInBrowser({
    browser: () => browser,
    backend: "webgpu",
    runs: [
      { realm: "page", nets: NETS },
      { realm: "worker", nets: ["trains a residual network of basic blocks"], modes: /vdnn-all|auto/ },
    ],
  });

  test("the console has no complaints", () => {
    expect(browser.complaints).toEqual([]);
  });
});
