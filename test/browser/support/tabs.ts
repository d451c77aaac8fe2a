/**
 * A Chromium whose tabs hide as those of a user do. Playwright's own launch keeps every page visible, focused and unthrottled, so
 * this one is started without it, and Playwright connects and leaves its default context as it is.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { startChild } from "./child.ts";

export interface Tabs {
  /** Where its tabs are. Contexts of Playwright's own are always visible. */
  readonly context: BrowserContext;
  /** Puts a tab behind another one. Resolves when the tab knows. */
  hide(page: Page): Promise<void>;
  /** Brings a tab to the front. Resolves when the tab knows. */
  show(page: Page): Promise<void>;
  /** What browsers do to hidden tabs to save energy: nothing of the tab runs until it is thawed. */
  freeze(page: Page): Promise<void>;
  thaw(page: Page): Promise<void>;
  close(): Promise<void>;
}

export async function openTabs(executablePath: string, args: readonly string[]): Promise<Tabs> {
  const profile = await mkdtemp(path.join(tmpdir(), "vdnn-chromium-"));
  const own = ["--headless", "--remote-debugging-port=0", `--user-data-dir=${profile}`, "--no-first-run"];
  const program = startChild(executablePath, [...own, ...args], { stdio: ["ignore", "ignore", "pipe"] });
  const browser = await chromium.connectOverCDP(await addressFrom(program.process.stderr as Readable), {
    noDefaults: true,
  });
  const [context] = browser.contexts();
  if (context === undefined) throw new Error("Chromium has no default context");
  const [other = await context.newPage()] = context.pages();
  const becomes = async (page: Page, state: string): Promise<void> => {
    await page.waitForFunction(`document.visibilityState === "${state}"`, undefined, { polling: 50 });
  };
  const setState = async (page: Page, state: "frozen" | "active"): Promise<void> => {
    const session = await context.newCDPSession(page);
    await session.send("Page.setWebLifecycleState", { state });
    await session.detach();
  };
  return {
    context,
    async hide(page) {
      await other.bringToFront();
      await becomes(page, "hidden");
    },
    async show(page) {
      await page.bringToFront();
      await becomes(page, "visible");
    },
    freeze: (page) => setState(page, "frozen"),
    thaw: (page) => setState(page, "active"),
    async close() {
      const session = await browser.newBrowserCDPSession();
      await session.send("Browser.close");
      await program.exited;
      await rm(profile, { recursive: true, force: true });
    },
  };
}

/** Chromium writes where it listens. */
async function addressFrom(output: Readable): Promise<string> {
  for await (const line of createInterface({ input: output })) {
    const address = /listening on (ws:\S+)/.exec(line)?.[1];
    if (address === undefined) continue;
    // Nobody reads what follows, and the browser must not wait for a reader.
    output.resume();
    return address;
  }
  throw new Error("Chromium ended before it listened");
}
