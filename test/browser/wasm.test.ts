/** The wasm backend, in Chromium. Skipped, and says so, without one. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Browser, openBrowser } from "./support/browser.ts";
import { whyNoChromium } from "./support/chromium.ts";
import { conformanceInBrowser, NETS } from "./support/conformance.ts";

const absent = whyNoChromium();

describe.skipIf(absent !== undefined)(`wasm${absent === undefined ? "" : ` (${absent})`}`, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser.close());

  const nets = [...NETS, "trains a stack of LSTM layers"];
  conformanceInBrowser({
    browser: () => browser,
    backend: "wasm",
    runs: [
      { realm: "page", nets },
      { realm: "worker", nets },
    ],
  });

  test("training goes on through sessions of several policies", async () => {
    expect(await browser.run("worker", "changePolicies", "wasm", ["vdnn-all", "none", "auto"])).toBe(true);
  });

  test("the console has no complaints", () => {
    expect(browser.complaints).toEqual([]);
  });
});
