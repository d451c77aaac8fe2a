/** The built demo page in Chromium, and what a visitor does there. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
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
  /** From a static host. */
  visit(hash?: string, options?: BrowserContextOptions): Promise<Visit>;
  /** The page that is one file, opened from the disk. */
  openFile(hash: string): Promise<Visit>;
  close(): Promise<void>;
}

export async function openDemo(): Promise<Demo> {
  const root = await mkdtemp(path.join(tmpdir(), "vdnn-demo-"));
  await build({ root: DEMO, logLevel: "error", build: { outDir: path.join(root, FOLDER), emptyOutDir: true } });
  await build({ root: DEMO, mode: "file", logLevel: "error", build: { outDir: root, emptyOutDir: false } });
  const site = await serveFolder(root);
  const browser = await launch();
  return {
    visit: (hash = "", options = {}) => Visit.open(browser, `${site.url}${FOLDER}/index.html${hash}`, options),
    openFile: (hash) => Visit.open(browser, `${pathToFileURL(path.join(root, "vdnn-demo.html")).href}${hash}`, {}),
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
  /** Every address that was asked for. */
  readonly requests: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.on("request", (request) => this.requests.push(request.url()));
    page.on("pageerror", (error) => this.errors.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error") this.errors.push(message.text());
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

  /** Presses the button and waits until no run goes on any more. */
  train(): Promise<void> {
    return this.#runFrom("#train");
  }

  runStock(): Promise<void> {
    return this.#runFrom("#limited");
  }

  /** A run may be over before anybody could look for its beginning from outside. */
  async #runFrom(button: string): Promise<void> {
    await this.page.evaluate(
      ([selector, timeoutMs]) =>
        new Promise<void>((resolve, reject) => {
          const train = document.querySelector("#train");
          if (train === null) throw new Error("there is no button to train");
          const observer = new MutationObserver(() => {
            if (train.ariaDisabled === "true") return;
            observer.disconnect();
            // The page draws in frames, and this one may come before it in the first.
            requestAnimationFrame(() => requestAnimationFrame(() => resolve()));
          });
          observer.observe(train, { attributes: true });
          document.querySelector<HTMLButtonElement>(selector)?.click();
          setTimeout(() => reject(new Error(`the run from ${selector} did not end`)), timeoutMs);
        }),
      [button, RUN_TIMEOUT_MS] as const,
    );
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
