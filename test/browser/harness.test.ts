/** The harness itself: which backends start in this browser, in the page and in a worker. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Browser, openBrowser } from "./support/browser.ts";
import { whyNoChromium } from "./support/chromium.ts";

const absent = whyNoChromium();

describe.skipIf(absent !== undefined)(`a browser${absent === undefined ? "" : ` (${absent})`}`, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser.close());

  describe.each(["page", "worker"] as const)("in the %s", (realm) => {
    test.each(["webgpu", "webgl", "wasm", "cpu"] as const)("TensorFlow.js runs on %s", async (backend) => {
      expect(await browser.run(realm, "multiply", backend)).toEqual([3, 3, 3, 3]);
    });

    test("an error arrives with its message", async () => {
      await expect(browser.run(realm, "multiply", "none" as never)).rejects.toThrow(/unknown; expected one of/);
    });
  });
});
