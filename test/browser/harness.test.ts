/** The harness itself: which backends start in this browser, in the page and in a worker. */
import { describe, expect, test } from "vitest";
import { describeInBrowser } from "./support/describe.ts";

describeInBrowser("a browser", (browser) => {
  describe.each(["page", "worker"] as const)("in the %s", (realm) => {
    test.each(["webgpu", "webgl", "wasm", "cpu"] as const)("TensorFlow.js runs on %s", async (backend) => {
      expect(await browser().run(realm, "multiply", backend)).toEqual([3, 3, 3, 3]);
    });

    test("an error arrives with its message", async () => {
      await expect(browser().run(realm, "multiply", "none" as never)).rejects.toThrow(/unknown; expected one of/);
    });
  });
});
