/** The built demo page in Chromium, and what a visitor does there. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { build } from "vite";
import { ARGUMENTS } from "../support/browser.ts";
import { findChromium } from "../support/chromium.ts";
import { serveFolder } from "../support/site.ts";

const DEMO = fileURLToPath(new URL("../../../demo", import.meta.url));
/** The page must not mind where on a host it lies. */
const FOLDER = "some/where";
const RUN_TIMEOUT_MS = 120_000;

export interface Demo {
  visit(hash?: string, options?: BrowserContextOptions): Promise<Visit>;
  close(): Promise<void>;
}

export async function openDemo(): Promise<Demo> {
  const root = await mkdtemp(path.join(tmpdir(), "vdnn-demo-"));
  await build({ root: DEMO, logLevel: "error", build: { outDir: path.join(root, FOLDER), emptyOutDir: true } });
  const site = await serveFolder(root);
  const browser = await launch();
  return {
    visit: (hash = "", options = {}) => Visit.open(browser, `${site.url}${FOLDER}/index.html${hash}`, options),
    async close() {
      await browser.close();
      await site.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

function launch(): Promise<Browser> {
  const executablePath = findChromium();
  if (executablePath === undefined) throw new Error("there is no Chromium here; ask whyNoChromium first");
  return chromium.launch({ executablePath, args: [...ARGUMENTS] });
}

export class Visit {
  readonly page: Page;
  /** Errors on the console, and errors that nobody caught. */
  readonly errors: string[] = [];
  /** Warnings on the console. */
  readonly warnings: string[] = [];
  /** Every address that was asked for. */
  readonly requests: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.on("request", (request) => this.requests.push(request.url()));
    page.on("pageerror", (error) => this.errors.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error") this.errors.push(message.text());
      if (message.type() === "warning") this.warnings.push(message.text());
    });
  }

  static async open(browser: Browser, url: string, options: BrowserContextOptions): Promise<Visit> {
    const context = await browser.newContext({ acceptDownloads: true, ...options });
    const visit = new Visit(await context.newPage());
    await visit.page.goto(url);
    // The devices were asked for.
    await visit.page.locator("#devices li", { hasText: "WebAssembly" }).waitFor();
    return visit;
  }

  train(): Promise<void> {
    return this.page.locator("#train").click();
  }

  runStock(): Promise<void> {
    return this.page.locator("#limited").click();
  }

  /** Until no run goes on any more; one must have been started. */
  async settle(): Promise<void> {
    const idle = this.page.locator("#train[aria-disabled=false]");
    await this.page.locator("#train[aria-disabled=true]").waitFor();
    await idle.waitFor({ timeout: RUN_TIMEOUT_MS });
  }

  text(selector: string): Promise<string> {
    return this.page.locator(selector).innerText();
  }

  /** The cells of a row of the comparison. */
  async row(name: string): Promise<string[]> {
    const row = this.page.locator("#comparison tr", { has: this.page.locator("th", { hasText: name }) });
    return row.locator("td").allInnerTexts();
  }

  /** Saves a file and parses it. */
  async saved(button: string): Promise<{ readonly name: string; readonly content: unknown }> {
    const [download] = await Promise.all([
      this.page.waitForEvent("download"),
      this.page.getByRole("button", { name: button }).click(),
    ]);
    const content: unknown = JSON.parse(await readFile(await download.path(), "utf8"));
    return { name: download.suggestedFilename(), content };
  }

  close(): Promise<void> {
    return this.page.context().close();
  }
}
