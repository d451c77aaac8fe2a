/** The example as a process of its own, made small: the chain of stages, its chart, and the figures that do not depend on training. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROOT } from "../../benchmarks/harness.ts";
import { renderTalkChart } from "../../benchmarks/talk-chart.ts";
import { energySum, type TalkResult, talkTables } from "../../benchmarks/talk-result.ts";

const folder = mkdtempSync(join(tmpdir(), "vdnn-talk-"));
const SMALL = ["--train", "600", "--frames", "60", "--keep", "0.2", "--backend", "wasm"];
let result: TalkResult;
let svg: string;
let stdout: string;

beforeAll(async () => {
  const files = ["--json", join(folder, "talk.json"), "--svg", join(folder, "talk.svg")];
  const program = ["--import", "tsx", "benchmarks/talk.ts", ...SMALL, ...files];
  ({ stdout } = await promisify(execFile)(process.execPath, program, { cwd: ROOT }));
  result = JSON.parse(readFileSync(join(folder, "talk.json"), "utf8")) as TalkResult;
  svg = readFileSync(join(folder, "talk.svg"), "utf8");
}, 120_000);

afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe("the example", () => {
  it("goes from training to EIE, each stage with accuracy, size, DRAM traffic, energy and frames/s", () => {
    expect(result.schema).toBe("vdnn-bench-talk/1");
    expect(result.stages.map(({ machine }) => machine)).toEqual([
      "row stationary",
      "row stationary",
      "Eyeriss",
      "Eyeriss",
      "EIE",
    ]);
    for (const stage of result.stages) {
      expect(stage.accuracy).toBeGreaterThan(0.5);
      expect(energySum(stage)).toBeGreaterThan(0);
      expect(stage.framesPerSecond).toBeGreaterThan(0);
    }
    expect(result.parameters).toBe(266_610);
    expect(result.kept).toBeCloseTo(0.2, 3);
  });

  it("halves size and traffic with half the bits, and needs no DRAM where zeros are left out of the SRAM", () => {
    const [float, fixed, gated, pruned, encoded] = result.stages;
    expect(fixed?.bytes).toBe((float?.bytes ?? 0) / 2);
    expect(fixed?.dramBytes).toBe((float?.dramBytes ?? 0) / 2);
    expect(gated?.energyPj.arithmetic).toBeLessThan(fixed?.energyPj.arithmetic ?? 0);
    expect(pruned?.bytes).toBeLessThan(gated?.bytes ?? 0);
    expect(encoded?.bytes).toBeLessThan(pruned?.bytes ?? 0);
    expect(encoded?.dramBytes).toBe(0);
  });

  it("counts the weights of AlexNet in one tower (arXiv:1404.5997) and of SqueezeNet (arXiv:1602.07360, table 1) exactly", () => {
    expect(result.shapes.map(({ parameters }) => parameters)).toEqual([61_100_840, 1_248_424]);
  });

  it("prints its tables and draws the same figures", () => {
    for (const { caption } of talkTables(result)) expect(stdout).toContain(caption);
    expect(stdout).toMatch(/Accuracy is measured.*Sizes are counted.*modelled/);
    expect(svg).toBe(renderTalkChart(result));
    for (const { name } of result.stages) expect(svg).toContain(name);
  });
});

describe("bad input of the example", () => {
  it.each([
    [["--svg", join(folder, "none", "talk.svg")], "--svg: there is no directory"],
    [["--energy", "horowtz"], 'unknown energy "horowtz"'],
    [["--data", join(folder, "none")], "cannot be read"],
  ])("%j is a usage error before anything is trained", async (args, message) => {
    const program = ["--import", "tsx", "benchmarks/talk.ts", ...args];
    const ended = promisify(execFile)(process.execPath, program, { cwd: ROOT });
    await expect(ended).rejects.toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining(message) });
  });
});
