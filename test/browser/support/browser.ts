/** One Chromium with the site under test open, in which tests run scenarios: in the page, or in its module worker. */
import { chromium, type Page } from "playwright-core";
import type { Scenarios } from "../page/scenarios.ts";
import { type Answer, resultOf } from "./answer.ts";
import { findChromium } from "./chromium.ts";
import { openSite, type Site } from "./site.ts";
import { openTabs, type Tabs } from "./tabs.ts";

/** Where a scenario runs. Each has a TensorFlow.js of its own. */
export type Realm = "page" | "worker";

export interface Browser {
  readonly page: Page;
  /** What the page and its worker wrote to the console as errors, and errors that nobody caught. */
  readonly errors: readonly string[];
  /** Runs a scenario and returns its result, which travels as JSON. @throws Error what the scenario throws, code and all */
  run<N extends keyof Scenarios>(
    realm: Realm,
    name: N,
    ...args: Parameters<Scenarios[N]>
  ): Promise<Awaited<ReturnType<Scenarios[N]>>>;
  close(): Promise<void>;
}

/**
 * WebGPU is off by default on Linux, and its adapters on a processor are blocked. SwiftShader serves both APIs, so that results do
 * not depend on the graphics card of the machine.
 */
export const ARGUMENTS = [
  "--no-sandbox",
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--use-angle=swiftshader",
  "--enable-unsafe-swiftshader",
];

/** @throws Error without a Chromium: ask `whyNoChromium` first */
export async function openBrowser(): Promise<Browser> {
  const [site, browser] = await Promise.all([
    openSite(),
    chromium.launch({ executablePath: chromiumHere(), args: ARGUMENTS }),
  ]);
  return visit(site, await browser.newPage(), () => browser.close());
}

/** A browser whose page can be hidden and frozen. */
export interface TabbedBrowser extends Browser {
  readonly tabs: Tabs;
}

/** @throws Error without a Chromium: ask `whyNoChromium` first */
export async function openTabbedBrowser(): Promise<TabbedBrowser> {
  const [site, tabs] = await Promise.all([openSite(), openTabs(chromiumHere(), ARGUMENTS)]);
  const page = await tabs.context.newPage();
  return { ...(await visit(site, page, () => tabs.close())), tabs };
}

export function chromiumHere(): string {
  const path = findChromium();
  if (path === undefined) throw new Error("there is no Chromium here; ask whyNoChromium first");
  return path;
}

async function visit(site: Site, page: Page, closeBrowser: () => Promise<void>): Promise<Browser> {
  const errors: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  page.on("pageerror", (error) => errors.push(error.message));
  await page.goto(site.url);
  return {
    page,
    errors,
    async run(realm, name, ...args) {
      const answer = await page.evaluate(
        async (call) => {
          const { scenario } = globalThis as unknown as { scenario: (call: unknown) => Promise<Answer> };
          return scenario(call);
        },
        { realm, name, args },
      );
      return resultOf(answer) as never;
    },
    async close() {
      await closeBrowser();
      await site.close();
    },
  };
}
