/** Browsers other than Chromium, each with the backends that it has here. Skipped, and says so, where one is not installed. */
import { describe, expect, test, type TestContext } from "vitest";
import { EXPECTED } from "../conformance/comparison.ts";
import type { Backend } from "./page/backend.ts";
import type { Realm } from "./support/browser.ts";
import { VGG } from "./support/conformance.ts";
import { describeInEngine } from "./support/describe.ts";
import { FIREFOX, WEBKIT } from "./support/engines.ts";

const ORDER: readonly Backend[] = ["webgpu", "webgl", "wasm"];

for (const engine of [FIREFOX, WEBKIT]) {
  describeInEngine(engine, (browser) => {
    describe.each<Realm>(["page", "worker"])("in the %s", (realm) => {
      /** Ends the test as skipped where the backend does not start. */
      async function need(backend: Backend, { skip }: TestContext): Promise<void> {
        const { failures } = await browser().run(realm, "start", backend);
        if (failures.length > 0) skip(failures.join("; "));
      }

      test("loadTensorFlow takes the first backend that starts, and says what did not", async () => {
        const { backend, failed, product } = await browser().run(realm, "load", null, []);
        expect(product).toEqual([3, 3, 3, 3]);
        expect([...failed, backend]).toEqual(ORDER.slice(0, failed.length + 1));
      });

      test.for(ORDER)("model.fit under a budget has the bits of stock, on %s", async (backend, context) => {
        await need(backend, context);
        const options = { policy: "auto", deviceMemory: "384KiB" };
        const trained = await browser().run(realm, "trainWatched", backend, "fit", options, null);
        expect(trained.isEqual).toBe(true);
      });

      test("convolutions have the bits of stock, on wasm", async () => {
        const mode = "offloading everything after each kernel";
        expect(await browser().run(realm, "compare", "wasm", VGG, mode)).toEqual(EXPECTED);
      });

      // Backends that block spill in workers only.
      const spilling: Backend = realm === "page" ? "webgpu" : "wasm";
      test(`a spill tier serves, or is missing and told so, on ${spilling}`, async (context) => {
        await need(spilling, context);
        const options = { hostMemory: "512KiB", spill: true };
        const hasFiles = await browser().run(realm, "hasOriginFiles");
        const training = browser().run(realm, "trainWatched", spilling, "minimize", options, null);
        if (hasFiles) {
          expect((await training).isEqual).toBe(true);
          expect(await browser().run(realm, "filesIn", "vdnn")).toBe(0);
        } else {
          await expect(training).rejects.toMatchObject({
            code: "ERR_SPILL",
            message: expect.stringMatching(/which this browser lacks/),
          });
        }
      });
    });
  });
}
