/** `vdnn infer` as users start it: a process of its own, JSON on standard output and nothing else. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildProgram, createProject, type Program, type Project } from "../cli/support.ts";

let program: Program;
let project: Project;

beforeAll(() => {
  program = buildProgram();
  project = createProject("linked");
});

afterAll(() => {
  program.remove();
  project.remove();
});

describe("vdnn infer", () => {
  it("starts its help with examples", async () => {
    const { code, stdout } = await program.vdnn(["infer", "--help"], { cwd: project.folder });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Examples:\n {2}vdnn infer /);
  });

  it.each(["eyeriss", "eie"])("prints one document for %s and ends with 0", async (accelerator) => {
    const args = ["infer", "--accelerator", accelerator, "lenet5", "--json"];
    const { code, stdout, stderr } = await program.vdnn(args, { cwd: project.folder });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(JSON.parse(stdout)).toMatchObject({ schema: "vdnn-infer/1", accelerator, model: "lenet5" });
  });

  it("ends with 2 and one line for a wrong name", async () => {
    const { code, stdout, stderr } = await program.vdnn(["infer", "lenet5", "--accelerator", "tpu"], {
      cwd: project.folder,
    });
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^vdnn: unknown accelerator "tpu".*\n$/);
  });
});
