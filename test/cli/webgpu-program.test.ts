/** The commands that train, on backend webgpu: what they print where it works, and what they say where it does not. */
import { mkdirSync, readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { provideWebGpu } from "../../src/backends/webgpu-loader.ts";
import { whyNoWebGpu } from "../support/webgpu.ts";
import { buildProgram, createProject, type Outcome, type Program, type Project, type RunOptions } from "./support.ts";

const absent = await whyNoWebGpu();
const isSoftware = absent === undefined && (await provideWebGpu()).isSoftware;
const SIZES = ["--depth", "3", "--width", "8", "--image-size", "12", "--batch", "4"];
const NOTICE = /^vdnn: .* is a software adapter: .* Small sizes help: --/m;

let program: Program;
let project: Project;

beforeAll(() => {
  program = buildProgram();
  project = createProject("linked");
}, 120_000);

afterAll(() => {
  program.remove();
  project.remove();
});

const vdnn = (args: readonly string[], options: RunOptions = {}): Promise<Outcome> =>
  program.vdnn(args, { cwd: project.folder, ...options });
const train = (...flags: string[]): string[] => ["train", "--backend", "webgpu", ...SIZES, ...flags];

const title = absent === undefined ? "on webgpu" : `on webgpu (${absent})`;
describe.skipIf(absent !== undefined)(title, { timeout: 300_000 }, () => {
  it("vdnn train keeps a budget through every tier, to the bits of stock", async () => {
    mkdirSync(project.path("spill"));
    const budgets = ["--device-memory", "112KiB", "--host-memory", "384KiB", "--spill", "spill"];
    const flags = ["--steps", "3", "--policy", "vdnn-all", "--compare", "--json"];
    const { code, stdout, stderr } = await vdnn(train(...budgets, ...flags));
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(NOTICE.test(stderr)).toBe(isSoftware);
    const document = JSON.parse(stdout) as { result: { report: { peakDeviceBytes: number; peakHostBytes: number } } };
    expect(document).toMatchObject({ backend: "webgpu", comparison: { identical: true } });
    expect(document.result.report.peakDeviceBytes).toBeLessThanOrEqual(112 * 1024);
    expect(document.result.report.peakHostBytes).toBeGreaterThan(0);
    expect(readdirSync(project.path("spill"))).toEqual([]);
  });

  it("vdnn compare --measured ends in a table that does not speak of the training thread", async () => {
    const flags = ["--steps", "2", "--rounds", "1", "--budgets", "100%", "--policy", "liveness"];
    const { code, stdout, stderr } = await vdnn(["compare", "--measured", "--backend", "webgpu", ...SIZES, ...flags]);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stdout).toContain("backend webgpu, 1 round of 2 steps");
    expect(stdout).toContain("Device copies run on the device's queue");
    expect(stdout).toContain("Losses and weights have the bits of stock in every run.");
  });

  it("says that nothing fits in a budget below the weights, with one that it does not take back", async () => {
    const tooSmall = await vdnn(train("--steps", "1", "--device-memory", "5KiB"));
    expect({ code: tooSmall.code, stdout: tooSmall.stdout }).toEqual({ code: 3, stdout: "" });
    const [, least = ""] =
      /of 5 KiB is free .*smallest feasible device budget: at least ([\d.]+) KiB/.exec(tooSmall.stderr) ?? [];
    expect(Number(least)).toBeGreaterThan(5);
    const none = await vdnn(train("--steps", "1", "--device-memory", "2KiB"));
    expect(none).toMatchObject({ code: 2, stdout: "" });
    expect(none.stderr).toMatch(/^vdnn: deviceMemory: webgpu keeps 4 KiB for uniforms, got 2 KiB in all; raise it$/m);
  });

  it("ends on Ctrl-C in the middle of a run, with nothing left on the disk", async () => {
    mkdirSync(project.path("interrupted"));
    const started = performance.now();
    const { code } = await vdnn(train("--steps", "1000", "--spill", "interrupted", "--log-level", "debug"), {
      onStderr: (text, child) => {
        if (text.includes("vdnn iteration")) child.kill("SIGINT");
      },
    });
    expect(code === null || code === 130).toBe(true);
    expect(performance.now() - started).toBeLessThan(200_000);
    expect(readdirSync(project.path("interrupted"))).toEqual([]);
  });
});

describe.runIf(process.platform === "linux")("without a Vulkan driver", { timeout: 120_000 }, () => {
  const env = { VK_ICD_FILENAMES: "/nowhere/icd.json", VK_DRIVER_FILES: "/nowhere/icd.json" };

  it.each([
    [train("--steps", "1")],
    [["demo", "--backend", "webgpu"]],
    [["depth", "--backend", "webgpu", "--device-memory", "1MiB"]],
    [["compare", "--measured", "--backend", "webgpu"]],
  ])("%j fails at once, and names what is missing", async (args) => {
    const { code, stdout, stderr } = await vdnn(args, { env });
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(
      /^vdnn: backend webgpu does not start: .*(no WebGPU adapter was found|not installed); mend it: /m,
    );
  });
});
