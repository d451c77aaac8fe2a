/** Tests that share one browser; skipped, with the reason, where there is none. */
import { afterAll, beforeAll, describe } from "vitest";
import { type Browser, openBrowser, openTabbedBrowser, type TabbedBrowser } from "./browser.ts";
import { whyNoChromium } from "./chromium.ts";
import { type Engine, whyNoEngine } from "./engines.ts";
import { openRemote, type RemoteBrowser } from "./remote.ts";

/** For scenarios that train, on a busy machine. */
const TIMEOUT_MS = 300_000;

/** @param tests declares them; the browser is there when they run */
export function describeInBrowser(name: string, tests: (browser: () => Browser) => void): void {
  describeIn(name, whyNoChromium(), openBrowser, tests);
}

/** In a Chromium whose page can be hidden and frozen. */
export function describeInTab(name: string, tests: (browser: () => TabbedBrowser) => void): void {
  describeIn(name, whyNoChromium(), openTabbedBrowser, tests);
}

export function describeInEngine(engine: Engine, tests: (browser: () => RemoteBrowser) => void): void {
  describeIn(engine.name, whyNoEngine(engine), () => openRemote(engine), tests);
}

function describeIn<B extends RemoteBrowser>(
  name: string,
  absent: string | undefined,
  open: () => Promise<B>,
  tests: (browser: () => B) => void,
): void {
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
