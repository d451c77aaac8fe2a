/** The demo page as visitors use it, in Chromium: training, failures on purpose and by mistake, files, keyboard, accessibility. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { ChromeTrace } from "../../../src/report/trace-events.ts";
import type { SessionReport } from "../../../src/report/result.ts";
import { whyNoChromium } from "../support/chromium.ts";
import { type Demo, openDemo, type Visit } from "./visit.ts";

const absent = whyNoChromium();

/** What loads before anything is trained, compressed or not. */
const MOST_INITIAL_BYTES = 120_000;

/** A GPU that a processor plays compiles for seconds, and more where the processor has other work. */
const PATIENCE_MS = 240_000;

const TINY = "network=chain&depth=4&batch=2&side=16&width=8&seed=1&policy=vdnn-dyn";
const WASM = `#${TINY}&backend=wasm&steps=5&budget=50%25`;
const WEBGPU = `#${TINY}&backend=webgpu&steps=3&budget=50%25`;

describe.skipIf(absent !== undefined)(
  `the demo page${absent === undefined ? "" : ` (${absent})`}`,
  { timeout: PATIENCE_MS },
  () => {
    let demo: Demo;
    let visit: Visit;
    beforeAll(async () => {
      demo = await openDemo();
    });
    afterEach(() => visit.close());
    afterAll(() => demo.close());

    test("is there before TensorFlow.js is, and asks nobody else for anything", async () => {
      visit = await demo.visit();
      const { page, requests } = visit;
      const sizes = await page.evaluate(() =>
        performance
          .getEntries()
          .filter((entry) => entry instanceof PerformanceResourceTiming)
          .map(({ decodedBodySize }) => decodedBodySize),
      );
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(MOST_INITIAL_BYTES);
      const { origin } = new URL(page.url());
      expect(requests.filter((url) => !url.startsWith("data:") && new URL(url).origin !== origin)).toEqual([]);
      expect(await page.title()).toMatch(/vdnn/);
      expect(await page.locator("html").getAttribute("lang")).toBe("en");
      expect(await page.locator("meta[name=description]").getAttribute("content")).toMatch(/TensorFlow\.js/);
      expect(await page.locator("meta[name=viewport]").getAttribute("content")).toContain("width=device-width");
      expect(await page.locator("link[rel=icon]").getAttribute("href")).toMatch(/^data:/);
      expect(visit.errors).toEqual([]);
    });

    test("trains on wasm with stock's bits, stock fails under the same limit, and the files are what they claim to be", async () => {
      visit = await demo.visit(WASM);
      await visit.train();
      expect(await visit.text("#status")).toMatch(/same bits as stock/);
      expect(await visit.text("#readouts")).toMatch(/Same bits as stock\s+yes/);
      expect((await visit.row("vdnn")).at(-1)).toBe("5 of 5 steps, same bits");
      await expect.poll(() => visit.page.locator("figure > svg").count()).toBe(4);

      const report = (await visit.saved("Save report")).content as SessionReport;
      expect(report).toMatchObject({
        schema: "vdnn-report/2",
        source: "measured",
        backend: "wasm",
        policy: "vdnn-dyn",
      });
      expect(report.iterations).toHaveLength(5);
      expect(report.peakDeviceBytes).toBeLessThanOrEqual(report.deviceMemoryBytes ?? 0);

      const { name, content } = await visit.saved("Save trace");
      expect(name).toBe("vdnn-chain-4-vdnn-dyn.trace.json");
      expectTrace(content as ChromeTrace, 5);

      await visit.runStock();
      expect((await visit.row("Stock, same limit")).at(-1)).toMatch(/^out of memory/);
      expect(await visit.text("#verdict")).toMatch(/malloc of .* refused with .* allocated/);
      expect(await visit.page.locator("#banner").isHidden()).toBe(true);
      expect(visit.errors).toEqual([]);
    });

    test("is one file too, which trains when it is opened from the disk", async () => {
      visit = await demo.openFile(WASM);
      await visit.train();
      expect(await visit.text("#status")).toMatch(/same bits as stock/);
      expect((await visit.saved("Save report")).content).toMatchObject({ schema: "vdnn-report/2" });
      expect(visit.requests.filter((url) => !/^(?:file|blob|data):/.test(url))).toEqual([]);
      expect(visit.errors).toEqual([]);
    });

    test("trains on webgpu under a cap in front of createBuffer, which stock runs into without noticing", async () => {
      visit = await demo.visit(WEBGPU);
      await visit.train();
      expect(await visit.text("#readouts")).toMatch(/Same bits as stock\s+yes/);
      expect(await visit.text("#facts")).toMatch(/software adapter/);
      expect(visit.errors).toEqual([]);
      await visit.runStock();
      expect((await visit.row("Stock, same limit")).at(-1)).toMatch(/^out of memory in step/);
      expect(await visit.text("#verdict")).toMatch(/GPUOutOfMemoryError.*does not look at that/);
      expect(visit.errors).toEqual([]);
    });

    test("trains on webgl under a cap in front of texStorage2D, which stock does not get past", async () => {
      visit = await demo.visit(WEBGPU.replace("backend=webgpu", "backend=webgl"));
      await visit.train();
      expect(await visit.text("#readouts")).toMatch(/Same bits as stock\s+yes/);
      await visit.runStock();
      expect((await visit.row("Stock, same limit")).at(-1)).toMatch(/^out of memory in step/);
      expect(await visit.text("#verdict")).toMatch(/a texture of .* refused with .* allocated/);
      expect(visit.errors).toEqual([]);
    });

    test("a lost device ends the run with advice, and the next run has another device", async () => {
      visit = await demo.visit(`${WEBGPU.replace("steps=3", "steps=4")}&fault=device-lost`);
      await visit.train();
      expect(await visit.text("#banner")).toMatch(/The device was lost\s*ERR_BACKEND/);
      await visit.page.getByText("More", { exact: true }).click();
      await visit.page.locator("[name=fault]").selectOption("none");
      await visit.train();
      expect(await visit.page.locator("#banner").isHidden()).toBe(true);
      expect((await visit.row("vdnn")).at(-1)).toBe("4 of 4 steps, same bits");
      expect(visit.errors).toEqual([]);
    });

    test("budgets that cannot work are told with a code and what to do, and the page goes on", async () => {
      visit = await demo.visit(WASM);
      const budget = visit.page.locator("[name=budget]");
      await budget.fill("plenty");
      await visit.train();
      await expect.poll(() => visit.text("#banner")).toMatch(/ERR_INVALID_OPTION.*expected a size such as/s);
      await budget.fill("2KiB");
      await visit.train();
      expect(await visit.text("#banner")).toMatch(
        /below what this network needs.*ERR_OUT_OF_MEMORY.*Raise the budget/s,
      );
      await budget.fill("60%");
      await visit.train();
      expect(await visit.page.locator("#banner").isHidden()).toBe(true);
      expect(await visit.text("#status")).toMatch(/^Done: vdnn trained/);
      expect(visit.errors).toEqual([]);
    });

    test("works by keyboard alone, and can be stopped", async () => {
      visit = await demo.visit(WASM.replace("steps=5", "steps=500"));
      const { keyboard } = visit.page;
      const focused = (): Promise<string> =>
        visit.page.evaluate(() => document.activeElement?.getAttribute("name") ?? document.activeElement?.id ?? "");
      const tabTo = async (name: string): Promise<void> => {
        for (let i = 0; i < 30 && (await focused()) !== name; i++) await keyboard.press("Tab");
        expect(await focused()).toBe(name);
      };
      await tabTo("budget");
      await keyboard.press("ControlOrMeta+a");
      await keyboard.type("70%");
      await keyboard.press("Enter");
      await visit.page.locator("#progress-text", { hasText: /^step [2-9]\d* of 500/ }).waitFor();
      expect(new URL(visit.page.url()).hash).toContain("budget=70%25");
      await tabTo("stop");
      await keyboard.press("Enter");
      await visit.page.locator("#train[aria-disabled=false]").waitFor();
      await expect.poll(() => visit.text("#status")).toMatch(/^Stopped/);
      expect(await focused()).toBe("train");
      expect(await visit.page.locator("#export-report").isEnabled()).toBe(true);
      expect(visit.errors).toEqual([]);
    });

    test.each([
      { width: 1280, height: 900, colorScheme: "light" },
      { width: 1280, height: 900, colorScheme: "dark" },
      { width: 390, height: 844, colorScheme: "light" },
      { width: 390, height: 844, colorScheme: "dark" },
    ] as const)("axe finds nothing at $width pixels in $colorScheme", async (look) => {
      const { width, height, colorScheme } = look;
      visit = await demo.visit(WASM, { viewport: { width, height }, colorScheme });
      await visit.page.getByText("More", { exact: true }).click();
      const { page } = visit;
      expect(await violations(visit)).toEqual([]);
      await visit.train();
      await page.locator("[name=budget]").fill("1KiB");
      await visit.train();
      expect(await violations(visit)).toEqual([]);
      // Nothing is wider than the window, but what scrolls on its own.
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
      expect(visit.errors).toEqual([]);
    });
  },
);

function expectTrace({ displayTimeUnit, traceEvents }: ChromeTrace, iterations: number): void {
  expect(displayTimeUnit).toBe("ms");
  const threads = traceEvents.filter(({ name }) => name === "thread_name").map(({ args }) => args["name"]);
  expect(threads).toEqual(expect.arrayContaining(["compute", "offload", "prefetch"]));
  const spans = traceEvents.filter(({ ph }) => ph === "X");
  expect(new Set(spans.map(({ args }) => args["iteration"])).size).toBe(iterations);
  for (const { ts, dur = -1 } of spans) {
    expect(ts).toBeGreaterThanOrEqual(0);
    expect(dur).toBeGreaterThanOrEqual(0);
  }
  expect(traceEvents.some(({ ph, name }) => ph === "C" && name === "device bytes")).toBe(true);
}

interface Axe {
  run(options: unknown): Promise<{
    readonly violations: readonly {
      readonly id: string;
      readonly impact: string;
      readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
    }[];
  }>;
}

async function violations({ page }: Visit): Promise<readonly string[]> {
  const require = createRequire(import.meta.url);
  await page.evaluate(await readFile(require.resolve("axe-core/axe.min.js"), "utf8"));
  const found = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as { readonly axe: Axe };
    return (await axe.run({ resultTypes: ["violations"] })).violations;
  });
  return found.flatMap(({ id, impact, nodes }) =>
    nodes.map(({ html, failureSummary = "" }) => `${impact} ${id}: ${html} ${failureSummary}`),
  );
}
