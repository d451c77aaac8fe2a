/** Which backend a page gets. */
import { describe, expect, it } from "vitest";
import { describeInBrowser } from "./support/describe.ts";

const product = [3, 3, 3, 3];

describeInBrowser("loadTensorFlow in a browser", (browser) => {
  describe.each(["page", "worker"] as const)("in the %s", (realm) => {
    it("starts WebGPU where there is WebGPU", async () => {
      expect(await browser().run(realm, "load", null, [])).toEqual({ backend: "webgpu", failed: [], product });
    });

    it("falls back, in order, and says what did not start", async () => {
      const { failed, ...rest } = await browser().run(realm, "load", null, ["webgpu", "webgl"]);
      expect(rest).toEqual({ backend: "wasm", product });
      expect(failed[0]).toBe("webgpu");
    });

    it("starts the one that is asked for, or says why not", async () => {
      expect(await browser().run(realm, "load", "cpu", [])).toEqual({ backend: "cpu", failed: [], product });
      await expect(browser().run(realm, "load", "wasm", ["wasm"])).rejects.toMatchObject({
        code: "ERR_BACKEND",
        message: expect.stringContaining("wasmPaths"),
      });
      await expect(browser().run(realm, "load", "tensorflow" as never, [])).rejects.toThrow(/unknown; expected one of/);
    });
  });
});
