/** The wasm backend, in Chromium. Skipped, and says so, without one. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Browser, openBrowser, TIMEOUT_MS } from "./support/browser.ts";
import { whyNoChromium } from "./support/chromium.ts";
import { ATTENTION, BATCH_NORM, LSTM, LSTM_STACK, RESNET, VGG, conformanceInBrowser } from "./support/conformance.ts";

const absent = whyNoChromium();

describe.skipIf(absent !== undefined)(
  `wasm${absent === undefined ? "" : ` (${absent})`}`,
  { timeout: TIMEOUT_MS },
  () => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await openBrowser();
    });
    afterAll(() => browser.close());

    conformanceInBrowser({
      browser: () => browser,
      backend: "wasm",
      nets: { page: [VGG, LSTM_STACK, BATCH_NORM], worker: [RESNET, LSTM, ATTENTION] },
    });

    test("training goes on through sessions of several policies", async () => {
      expect(await browser.run("worker", "changePolicies", "wasm", ["vdnn-all", "none", "auto"])).toBe(true);
    });

    test("the console has no errors", () => {
      expect(browser.errors).toEqual([]);
    });
  },
);
