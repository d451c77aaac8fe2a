/** The demo page in a tab that is hidden or frozen while it trains: the worker goes on, and what is shown afterwards is right. */
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { whyNoChromium } from "../support/chromium.ts";
import { openTabbedDemo, type TabbedDemo, type Visit } from "./visit.ts";

const absent = whyNoChromium();

const TIMEOUT_MS = 120_000;
const STEPS = 240;
const HASH = `#network=chain&depth=4&batch=2&side=16&width=8&seed=1&policy=vdnn-dyn&backend=wasm&budget=50%25&steps=${STEPS}`;
/** While vdnn trains; stock goes first, for fewer steps. */
const UNDER_WAY = new RegExp(`^[1-9]\\d*/${STEPS} `);
const FROZEN_MS = 1500;

describe.skipIf(absent !== undefined)(
  `the demo page in a tab${absent === undefined ? "" : ` (${absent})`}`,
  { timeout: TIMEOUT_MS },
  () => {
    let demo: TabbedDemo;
    let visit: Visit;
    beforeAll(async () => {
      demo = await openTabbedDemo();
    }, TIMEOUT_MS);
    beforeEach(async () => {
      visit = await demo.visit(HASH);
      await visit.page.locator("#train").click();
      await expect.poll(() => visit.page.title(), { timeout: TIMEOUT_MS }).toMatch(UNDER_WAY);
      await demo.tabs.hide(visit.page);
    });
    afterEach(() => visit.close());
    afterAll(() => demo.close());

    test("that is hidden trains to the end, says so in its title, and shows it when it is seen again", async () => {
      await expect.poll(() => visit.page.title(), { timeout: TIMEOUT_MS }).toMatch(/^vdnn/);
      expect(await visit.page.evaluate(() => document.visibilityState)).toBe("hidden");
      // Nothing was drawn since.
      expect(await visit.text("#status")).toMatch(/^Training with vdnn/);
      await demo.tabs.show(visit.page);
      await expectTheEnd();
    });

    test("that is frozen for a while trains to the end when it is thawed", async () => {
      await demo.tabs.freeze(visit.page);
      await pause(FROZEN_MS);
      await demo.tabs.thaw(visit.page);
      await demo.tabs.show(visit.page);
      await expectTheEnd();
    });

    async function expectTheEnd(): Promise<void> {
      await expect.poll(() => visit.text("#status"), { timeout: TIMEOUT_MS }).toMatch(/^Done.*same bits as stock/);
      expect(await visit.text("#progress-text")).toContain(`step ${STEPS} of ${STEPS}`);
      expect((await visit.row("vdnn")).at(-1)).toBe(`${STEPS} of ${STEPS} steps, same bits`);
      await expect.poll(() => visit.page.locator("figure > svg").count()).toBe(4);
      expect(await visit.page.locator("#banner").isHidden()).toBe(true);
      expect(visit.errors).toEqual([]);
    }
  },
);
