/** The built demo page in Chromium, and what a visitor does there. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { build } from "vite";
import { ARGUMENTS, chromiumHere } from "../support/browser.ts";
import { serveFolder } from "../support/site.ts";
import { openTabs, type Tabs } from "../support/tabs.ts";

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
  const { address, fileAddress, close } = await buildDemo();
  const browser = await chromium.launch({ executablePath: chromiumHere(), args: ARGUMENTS });
  const open = async (url: string, options: BrowserContextOptions): Promise<Visit> => {
    const context = await browser.newContext({ acceptDownloads: true, ...options });
    return Visit.open(await context.newPage(), url, () => context.close());
  };
  return {
    visit: (hash = "", options = {}) => open(`${address}${hash}`, options),
    openFile: (hash) => open(`${fileAddress}${hash}`, {}),
    async close() {
      await browser.close();
      await close();
    },
  };
}

/** The page from a static host, in a tab that can be hidden and frozen. */
export interface TabbedDemo {
  readonly tabs: Tabs;
  visit(hash: string): Promise<Visit>;
  close(): Promise<void>;
}

export async function openTabbedDemo(): Promise<TabbedDemo> {
  const { address, close } = await buildDemo();
  const tabs = await openTabs(chromiumHere(), ARGUMENTS);
  return {
    tabs,
    async visit(hash) {
      const page = await tabs.context.newPage();
      return Visit.open(page, `${address}${hash}`, () => page.close());
    },
    async close() {
      await tabs.close();
      await close();
    },
  };
}

interface BuiltDemo {
  readonly address: string;
  /** Of the page that is one file. */
  readonly fileAddress: string;
  close(): Promise<void>;
}

async function buildDemo(): Promise<BuiltDemo> {
  const root = await mkdtemp(path.join(tmpdir(), "vdnn-demo-"));
  await build({ root: DEMO, logLevel: "error", build: { outDir: path.join(root, FOLDER), emptyOutDir: true } });
  await build({ root: DEMO, mode: "file", logLevel: "error", build: { outDir: root, emptyOutDir: false } });
  const site = await serveFolder(root);
  return {
    address: `${site.url}${FOLDER}/index.html`,
    fileAddress: pathToFileURL(path.join(root, "vdnn-demo.html")).href,
    async close() {
      await site.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

export class Visit {
  readonly page: Page;
  /** Errors on the console, and errors that nobody caught. */
  readonly errors: string[] = [];
  /** Every address that was asked for. */
  readonly requests: string[] = [];

  /** Of the page, and of what was opened for it. */
  readonly close: () => Promise<void>;

  private constructor(page: Page, close: () => Promise<void>) {
    this.page = page;
    this.close = close;
    page.on("request", (request) => this.requests.push(request.url()));
    page.on("pageerror", (error) => this.errors.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error") this.errors.push(message.text());
    });
  }

  static async open(page: Page, url: string, close: () => Promise<void>): Promise<Visit> {
    const visit = new Visit(page, close);
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
}
