/** `vdnn run --record` and `vdnn train --record`, and `vdnn plan` on what they wrote: separate processes, joined by a file. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Graph } from "../../src/graph/graph.ts";
import { buildProgram, createProject, type Outcome, type Program, type Project, trainingScript } from "./support.ts";

const COMMONJS = `const tf = require("@tensorflow/tfjs");`;
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

function vdnn(...args: string[]): Promise<Outcome> {
  return program.vdnn(args, { cwd: project.folder });
}

describe("a recorded iteration", { timeout: 120_000 }, () => {
  it("goes from a script through a gzipped file into a plan", async () => {
    project.write("script.cjs", trainingScript(COMMONJS) + "void train();");
    const { code, stderr } = await vdnn("run", "--record", "step.json.gz", "script.cjs");
    expect(code).toBe(0);
    expect(stderr).toMatch(/^vdnn: recorded \d+ kernels over tensors of [\d.]+ .iB in \/.*step\.json\.gz$/m);
    const graph = JSON.parse(gunzipSync(readFileSync(project.path("step.json.gz"))).toString()) as Graph;
    const planned = await vdnn("plan", "--graph", "step.json.gz", "--device-memory", "1GiB", "--json");
    expect(planned.code).toBe(0);
    expect(JSON.parse(planned.stdout)).toMatchObject({
      schema: "vdnn-plan/1",
      graph: graph.name,
      kernels: graph.kernels.length,
      fits: true,
    });
  });

  it("is the largest where a script has several kinds, and says so", async () => {
    const extra = `if (step === 2) {
      const [x, y] = [tf.ones([2, 8, 8, 2]), tf.ones([2, 2])];
      await model.trainOnBatch(x, y);
    }`;
    project.write("kinds.cjs", trainingScript(COMMONJS, { extra, steps: 4 }) + "void train();");
    const { code, stderr } = await vdnn("run", "--record", "kinds.json", "kinds.cjs");
    expect(code).toBe(0);
    expect(stderr).toContain("kinds.json; of 2 kinds of iteration the one with the largest activations");
    const { tensors } = JSON.parse(readFileSync(project.path("kinds.json"), "utf8")) as Graph;
    expect(tensors.some(({ bytes }) => bytes === 6 * 8 * 8 * 4 * 4)).toBe(true);
  });

  it("is written by train as well", async () => {
    const flags = [
      "--network",
      "chain",
      "--depth",
      "3",
      "--image-size",
      "8",
      "--width",
      "4",
      "--batch",
      "2",
      "--steps",
      "2",
    ];
    const { code } = await vdnn("train", "--backend", "cpu", ...flags, "--record", "train.json");
    expect(code).toBe(0);
    const planned = await vdnn("plan", "--graph", "train.json", "--device-memory", "64MiB", "--policy", "all");
    expect(planned.code).toBe(0);
    expect(planned.stdout).toMatch(/^auto +yes /m);
  });

  it("is not written, with a message, where the policy records nothing", async () => {
    project.write("stock.cjs", trainingScript(COMMONJS) + "void train();");
    const { code, stderr } = await vdnn("run", "--policy", "none", "--record", "none.json", "stock.cjs");
    expect(code).toBe(0);
    expect(stderr).toContain("none.json: not written, as policy none recorded no iteration");
  });
});
