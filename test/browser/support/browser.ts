/** One Chromium with the site under test open, in which tests run scenarios: in the page, or in its module worker. */
import { chromium, type Page } from "playwright-core";
import type { Scenarios } from "../page/scenarios.ts";
import { findChromium } from "./chromium.ts";
import { openSite } from "./site.ts";

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

export async function openBrowser(): Promise<Browser> {
  const executablePath = findChromium();
  if (executablePath === undefined) throw new Error("there is no Chromium here; ask whyNoChromium first");
  const [site, browser] = await Promise.all([openSite(), chromium.launch({ executablePath, args: ARGUMENTS })]);
  const page = await browser.newPage();
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
      if (answer.error !== undefined) throw Object.assign(new Error(answer.error.message), answer.error);
      return answer.result as never;
    },
    async close() {
      await browser.close();
      await site.close();
    },
  };
}

/** What a realm answers: a result, or what was thrown. */
interface Answer {
  readonly result?: unknown;
  readonly error?: { readonly message: string; readonly code?: string; readonly stack?: string };
}
