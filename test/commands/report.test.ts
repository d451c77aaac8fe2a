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

  it("of depth has a bar for every policy, and every size that was tried", async () => {
    const flags = [
      "--network",
      "chain",
      "--image-size",
      "8",
      "--batch",
      "2",
      "--device-memory",
      "256KiB",
      "--max",
      "40",
    ];
    const html = await pageOf("depth", ["depth", "--simulate", ...flags]);
    expect(html).toContain(">simulated</span>");
    expect(html).toContain(">Largest depth of chain in 256 KiB</h1>");
    const bars = /<svg[^>]*aria-labelledby="largest-wide-title.*?<\/svg>/s.exec(html)?.[0].match(/<rect /g);
    expect(bars?.length).toBeGreaterThan(3);
    expect(html).toContain(">does not fit: needs ");
  });

  it("of infer has the energy of every layer, both tables, and the outputs", async () => {
    const html = await pageOf("infer", ["infer", "--accelerator", "eyeriss", "lenet300", "--width", "0.1"]);
    expect(html).toContain(">simulated</span>");
    expect(html).toContain(">lenet300 on eyeriss, batch 1</h1>");
    expect(html).toContain('<title id="energy-wide-title">');
    expect(html.match(/<caption /g)).toHaveLength(2);
    expect(html).toContain("same top-1 in");
  });

  it("of compress has accuracy and size stage by stage, and what each layer costs", async () => {
    const model = ["lenet300", "--width", "0.1", "--image-size", "10", "--backend", "wasm"];
    const short = [
      "--train-images",
      "64",
      "--test-images",
      "32",
      "--epochs",
      "1",
      "--rounds",
      "1",
      "--retrain-epochs",
      "1",
    ];
    const flags = ["--prune", "0.5", "--tune-epochs", "1", "--sensitivity", "--output", join(folder, "small.vdnnz")];
    const html = await pageOf("compress", ["compress", ...model, ...short, ...flags]);
    expect(html).toContain(">measured</span>");
    expect(html).toContain(">loaded from the file</th>");
    expect(html).toContain('<title id="sizes-wide-title">');
    expect(html).toContain('<title id="sensitivity-wide-title">');
  });
});

describe("--report out.json", () => {
  it.each([
    ["simulate", ["simulate", ...ALEXNET, "--policy", "auto"]],
    ["plan", ["plan", ...ALEXNET]],
    ["compare", ["compare", ...ALEXNET, "--policy", "liveness", "--budgets", "100%"]],
    ["depth", ["depth", "--simulate", "--batch", "2", "--policy", "auto", "--max", "8"]],
    ["infer", ["infer", "lenet300", "--width", "0.1", "--no-compute"]],
  ])("of %s is what --json prints", async (name, args) => {
    const path = join(folder, `${name}.json`);
    expect(await main([...args, "--json", "--report", path])).toBe(0);
    expect(readFileSync(path, "utf8")).toBe(output.stdout);
  });

  it.each([
    ["simulate"],
    ["plan", "--network", "alexnet"],
    ["compare"],
    ["demo"],
    ["depth", "--simulate"],
    ["infer", "lenet300"],
  ])("of %s needs a folder that is there, before anything runs", async (...args) => {
    expect(await main([...args, "--report", "/nowhere/out.html"])).toBe(2);
    expect(output.stderr).toMatch(/^vdnn: --report: there is no directory \/nowhere; create it first/);
  });
});
