/** `--report` of every command: a page where the name ends in .html, else the document that `--json` prints. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { main } from "../../src/cli.ts";
import { expectSound } from "../report/html/markup.ts";
import { catchOutput } from "./stdio.ts";

const folder = mkdtempSync(join(tmpdir(), "vdnn-report-"));
const output = catchOutput();

afterAll(() => {
  rmSync(folder, { recursive: true });
});

async function pageOf(name: string, args: readonly string[]): Promise<string> {
  const path = join(folder, `${name}.html`);
  expect(await main([...args, "--report", path]), output.stderr).toBe(0);
  const html = readFileSync(path, "utf8");
  expectSound(html);
  return html;
}

const ALEXNET = ["--network", "alexnet", "--batch", "8"];
const CHAIN = ["--network", "chain", "--depth", "3", "--image-size", "8", "--batch", "2"];

describe("--report out.html", () => {
  it("of train has memory over time, the lanes of a step, stock beside it, and the iterations", async () => {
    const flags = ["--backend", "cpu", "--steps", "3", "--policy", "vdnn-all", "--device-memory", "1MiB", "--compare"];
    const html = await pageOf("train", ["train", ...CHAIN, ...flags]);
    for (const text of [
      ">measured</span>",
      ">chain, batch 2, under vdnn-all</h1>",
      ">Iteration 3, following its plan</h2>",
      ">Iteration 1, recorded, before there is a plan",
      ">Device memory of one step, against stock</h2>",
      ">Memory over the whole run</h2>",
      "are bit-identical",
      ">device budget 1 MiB</text>",
      "backend cpu",
    ]) {
      expect(html).toContain(text);
    }
    expect(html).toMatch(/<rect [^>]*fill="var\(--forward\)"/);
    expect(html).toMatch(/<rect [^>]*fill="var\(--offload\)"/);
    expect(html.match(/<th scope="row" class="left">\d<\/th>/g)).toHaveLength(3);
    // The picture's peak is the peak that is reported: every change of the ledger is in it.
    const peak = />Device peak<\/dt><dd class="value">([^<]+)</.exec(html)?.[1] ?? "none";
    expect(html).toContain(`device: at most ${peak}.`);
  });

  it("of simulate has every policy that fits, and says that it is simulated", async () => {
    const html = await pageOf("simulate", ["simulate", ...ALEXNET]);
    expect(html).toContain(">simulated</span>");
    expect(html).toContain(">One step under auto");
    expect(html).toContain(">Device memory of one step, policy by policy</h2>");
    expect(html).toContain("GeForce GTX Titan X");
  });

  it("of plan has the plan, and why", async () => {
    const html = await pageOf("plan", ["plan", ...ALEXNET, "--device-memory", "600MiB", "--why"]);
    expect(html).toContain(">planned</span>");
    expect(html).toContain(">One step under auto</h2>");
    expect(html).toContain("What would help:");
    expect(await pageOf("plans", ["plan", ...ALEXNET, "--policy", "all"])).toContain(">vdnn-dyn");
  });

  it("of compare has the chart, a table per budget, and the lanes of auto where the budget is smallest", async () => {
    const html = await pageOf("compare", ["compare", ...ALEXNET, "--budgets", "60%,100%"]);
    expect(html).toContain(">Step time over device budget</h2>");
    expect(html).toMatch(/>One step of auto at [\d.]+ MiB</);
    expect(html.match(/<caption [^>]*>budget /g)).toHaveLength(2);
  });

  it("of demo has all runs in one picture", async () => {
    const small = ["--backend", "cpu", "--network", "chain", "--depth", "3", "--image-size", "8", "--batch", "2"];
    const html = await pageOf("demo", ["demo", ...small, "--steps", "2", "--budget-share", "0.6"]);
    expect(html).toContain(">chain in 60 % of its memory</h1>");
    expect(html).toMatch(/Memory over [\d.]+ m?s\. stock: at most/);
    expect(html).toContain(">auto: iteration 2");
  });
});

describe("--report out.json", () => {
  it.each([
    ["simulate", ["simulate", ...ALEXNET, "--policy", "auto"]],
    ["plan", ["plan", ...ALEXNET]],
    ["compare", ["compare", ...ALEXNET, "--policy", "liveness", "--budgets", "100%"]],
  ])("of %s is what --json prints", async (name, args) => {
    const path = join(folder, `${name}.json`);
    expect(await main([...args, "--json", "--report", path])).toBe(0);
    expect(readFileSync(path, "utf8")).toBe(output.stdout);
  });

  it.each([["simulate"], ["plan", "--network", "alexnet"], ["compare"], ["demo"]])(
    "of %s needs a folder that is there, before anything runs",
    async (...args) => {
      expect(await main([...args, "--report", "/nowhere/out.html"])).toBe(2);
      expect(output.stderr).toMatch(/^vdnn: --report: there is no directory \/nowhere; create it first/);
    },
  );
});
