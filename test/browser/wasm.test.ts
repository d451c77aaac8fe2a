/** The wasm backend, in Chromium. Skipped, and says so, without one. */
import { expect, test } from "vitest";
import { ATTENTION, BATCH_NORM, LSTM, LSTM_STACK, RESNET, VGG, conformanceInBrowser } from "./support/conformance.ts";
import { describeInBrowser } from "./support/describe.ts";

describeInBrowser("wasm", (browser) => {
  conformanceInBrowser({
    browser,
    backend: "wasm",
    nets: { page: [VGG, LSTM_STACK, BATCH_NORM], worker: [RESNET, LSTM, ATTENTION] },
  });

  test("training goes on through sessions of several policies", async () => {
    expect(await browser().run("worker", "changePolicies", "wasm", ["vdnn-all", "none", "auto"])).toBe(true);
  });

  test("the console has no errors", () => {
    expect(browser().errors).toEqual([]);
  });
});
