/**
 * A tab that is hidden or frozen in the middle of a step. Browsers draw no frames there and let timers wait, and of a frozen tab
 * nothing runs at all.
 */
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Backend } from "./page/backend.ts";
import type { Loop, PageEvent } from "./page/hiding.ts";
import type { Realm, TabbedBrowser } from "./support/browser.ts";
import { describeInTab } from "./support/describe.ts";

/** Long enough for several steps, were any to run. */
const QUIET_MS = 1000;

describeInTab("a tab", (browser) => {
  let watch: Watch;
  beforeEach(() => {
    watch = new Watch(browser());
  });
  afterEach(() => browser().tabs.show(browser().page));

  const visibility = (): Promise<unknown> => browser().page.evaluate("document.visibilityState");

  test.each<[Backend, Realm, object]>([
    ["webgpu", "page", {}],
    ["webgpu", "page", { policy: "auto", deviceMemory: "384KiB" }],
    ["webgpu", "page", { hostMemory: "512KiB", spill: true }],
    ["webgl", "page", {}],
    ["wasm", "worker", { hostMemory: "64KiB", spill: true }],
  ])(
    "that is hidden trains on to the end with the bits of stock, on %s in a %s with %o",
    async (backend, realm, options) => {
      const isHeld = backend === "webgpu" && realm === "page";
      const training = watch.train(realm, backend, "minimize", options, isHeld ? "visibilitychange" : null);
      await watch.hears("step 2 began");
      await browser().tabs.hide(browser().page);
      await watch.hears("step 5 ended");
      expect(await visibility()).toBe("hidden");
      expect(await training).toEqual({ isEqual: true, offloadBytes: expect.any(Number) });
    },
  );

  test.each<[Backend]>([["webgpu"], ["wasm"]])(
    "that is hidden keeps model.fit waiting for a frame, as stock does, on %s",
    async (backend) => {
      const training = watch.train("page", backend, "fit", {}, "visibilitychange");
      await watch.hears("step 2 began");
      await browser().tabs.hide(browser().page);
      await pause(QUIET_MS);
      const { last } = watch;
      expect(last).not.toBe("step 5 ended");
      await pause(QUIET_MS);
      expect(watch.last).toBe(last);
      await browser().tabs.show(browser().page);
      expect(await training).toEqual({ isEqual: true, offloadBytes: expect.any(Number) });
    },
  );

  test.each<[Realm, Loop, object]>([
    ["page", "minimize", {}],
    ["page", "minimize", { hostMemory: "512KiB", spill: true }],
    ["page", "fit", {}],
    ["worker", "minimize", {}],
  ])("that is frozen for a while ends with the bits of stock, in a %s by %s with %o", async (realm, loop, options) => {
    const training = watch.train(realm, "webgpu", loop, options, realm === "page" ? "freeze" : null);
    await watch.hears("step 2 began");
    await browser().tabs.hide(browser().page);
    await browser().tabs.freeze(browser().page);
    await pause(QUIET_MS);
    await browser().tabs.thaw(browser().page);
    await browser().tabs.show(browser().page);
    expect(await training).toEqual({ isEqual: true, offloadBytes: expect.any(Number) });
  });

  test("has no errors on the console", () => {
    expect(browser().errors).toEqual([]);
  });
});

/** What the page and its worker say about their steps, in order. */
class Watch {
  readonly #browser: TabbedBrowser;
  readonly #said: string[] = [];
  #onSaid = (): void => undefined;

  constructor(browser: TabbedBrowser) {
    this.#browser = browser;
    browser.page.on("console", (message) => {
      if (!message.text().startsWith("step ")) return;
      this.#said.push(message.text());
      this.#onSaid();
    });
  }

  get last(): string | undefined {
    return this.#said.at(-1);
  }

  /** Begins to train; a failure ends the waiting for what is never said. */
  train(realm: Realm, backend: Backend, loop: Loop, options: object, until: PageEvent | null): Promise<unknown> {
    const training = this.#browser.run(realm, "trainWatched", backend, loop, options, until);
    training.catch((error: unknown) => {
      this.#failure = error;
      this.#onSaid();
    });
    return training;
  }

  #failure: unknown;

  /** Resolves when that has been said. @throws what training threw */
  hears(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#onSaid = () => {
        if (this.#failure !== undefined) reject(this.#failure);
        if (this.#said.includes(text)) resolve();
      };
      this.#onSaid();
    });
  }
}
