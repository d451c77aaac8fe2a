/** Tests that share one browser; skipped, with the reason, where there is no Chromium. */
import { afterAll, beforeAll, describe } from "vitest";
import { type Browser, openBrowser } from "./browser.ts";
import { whyNoChromium } from "./chromium.ts";

/** For scenarios that train, on a busy machine. */
const TIMEOUT_MS = 300_000;

/** @param tests declares them; the browser is there when they run */
export function describeInBrowser(name: string, tests: (browser: () => Browser) => void): void {
  describeIn(openBrowser, name, tests);
}

/** The same, in a browser that `open` opens. */
export function describeIn<B extends Browser>(
  open: () => Promise<B>,
  name: string,
  tests: (browser: () => B) => void,
): void {
  const absent = whyNoChromium();
  const title = absent === undefined ? name : `${name} (${absent})`;
  describe.skipIf(absent !== undefined)(title, { timeout: TIMEOUT_MS }, () => {
    let browser: B;
    beforeAll(async () => {
      browser = await open();
    }, TIMEOUT_MS);
    afterAll(() => browser.close());
    tests(() => browser);
  });
}
