/** The webgl backend, in Chromium. Skipped, and says so, without one. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Browser, openBrowser } from "./support/browser.ts";
import { whyNoChromium } from "./support/chromium.ts";
import { conformanceInBrowser, NETS } from "./support/conformance.ts";

const absent = whyNoChromium();

describe.skipIf(absent !== undefined)(`webgl${absent === undefined ? "" : ` (${absent})`}`, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser.close());

  conformanceInBrowser({
    browser: () => browser,
    backend: "webgl",
    runs: [
      { realm: "page", nets: [...NETS, "trains a stack of LSTM layers"] },
      { realm: "worker", nets: ["trains a residual network of basic blocks"], modes: /vdnn-all|auto|each kernel/ },
    ],
  });

  test("the console has no complaints", () => {
    expect(browser.complaints).toEqual([]);
  });
});
