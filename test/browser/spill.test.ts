/** The spill tier in the origin's private file system. */
import { expect, it } from "vitest";
import type { Realm } from "./support/browser.ts";
import { describeInBrowser } from "./support/describe.ts";

describeInBrowser("a spill tier in a browser", (browser) => {
  it.each<[Realm, "webgpu" | "webgl" | "wasm", string, object]>([
    ["worker", "wasm", "a small host", { hostMemory: "256KiB", policy: "vdnn-all" }],
    ["worker", "wasm", "a device budget", { hostMemory: "128KiB", deviceMemory: "1MiB" }],
    ["worker", "wasm", "everything leaving at once", { hostMemory: "256KiB", policy: "vdnn-all", adversarial: true }],
    ["worker", "webgl", "a small host", { hostMemory: "256KiB", policy: "vdnn-all" }],
    ["page", "webgpu", "a small host", { hostMemory: "1MiB", policy: "vdnn-all" }],
    ["worker", "webgpu", "a small host", { hostMemory: "1MiB", policy: "vdnn-all" }],
  ])(
    "in a %s, %s trains with the bits of stock TensorFlow.js through it: %s",
    async (realm, backend, _name, options) => {
      const { equal, peakHostBytes, peakSpillBytes, filesDuring, filesAfter } = await browser().run(
        realm,
        "spill",
        backend,
        { spill: "vdnn-test/equal", ...options },
      );
      expect({ equal, filesDuring, filesAfter }).toEqual({ equal: true, filesDuring: 1, filesAfter: 0 });
      expect(peakSpillBytes).toBeGreaterThan(0);
      expect(peakHostBytes).toBeLessThanOrEqual(2 ** 20);
    },
  );

  it("is refused where a backend that blocks would have to wait for it on a page's own thread", async () => {
    await expect(browser().run("page", "spill", "wasm", { spill: true })).rejects.toMatchObject({
      code: "ERR_INVALID_OPTION",
      message: expect.stringContaining("train in a worker"),
    });
    expect(await browser().run("page", "filesIn", "vdnn")).toBe(0);
  });

  it("removes the file of a tab that died, and only that", async () => {
    expect(await browser().run("page", "leaveOpen", "webgpu", "vdnn-stale")).toBe(1);
    const { filesDuring } = await browser().run("worker", "spill", "wasm", { spill: "vdnn-stale" });
    expect(filesDuring).toBe(2);
    await browser().page.reload();
    expect(await browser().run("page", "filesIn", "vdnn-stale")).toBe(1);
    // The browser takes a moment until it lets go of the locks of a page that is gone.
    const next = async (): Promise<object> => {
      const { filesDuring: during, filesAfter } = await browser().run("worker", "spill", "wasm", {
        spill: "vdnn-stale",
      });
      return { during, filesAfter };
    };
    await expect.poll(next, { timeout: 20_000 }).toEqual({ during: 1, filesAfter: 0 });
  });

  it("goes without what the quota does not allow, and says so when host memory is full too", async () => {
    const session = await browser().page.context().newCDPSession(browser().page);
    const origin = new URL(browser().page.url()).origin;
    await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 64 * 1024 });
    const tight = { spill: true, hostMemory: "256KiB", policy: "vdnn-all", adversarial: true };
    await expect(browser().run("worker", "spill", "wasm", tight)).rejects.toMatchObject({
      code: "ERR_HOST_MEMORY",
      message: expect.stringContaining("spill tier takes no more"),
    });
    await session.send("Storage.overrideQuotaForOrigin", { origin });
  });
});
