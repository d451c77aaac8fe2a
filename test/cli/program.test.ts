/** The program as a spawned process: what goes to which stream, exit codes, JSON, and the commands that train. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildProgram, createProject, type Program, type Project } from "./support.ts";

const SMALL = [
  "--network",
  "chain",
  "--depth",
  "4",
  "--width",
  "4",
  "--image-size",
  "8",
  "--batch",
  "4",
  "--backend",
  "wasm",
];

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

describe("vdnn", () => {
  it("prints its version", async () => {
    const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
      version: string;
    };
    expect(await program.vdnn(["--version"])).toEqual({ code: 0, signal: null, stdout: `${version}\n`, stderr: "" });
  });

  it.each([[[]], [["run"]], [["train"]], [["demo"]]])("starts the help of %j with examples", async (command) => {
    const { code, stdout, stderr } = await program.vdnn([...command, "--help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^Examples:\n {2}vdnn /);
  });

  it.each([
    [["frobnicate"], "vdnn: unknown command 'frobnicate'"],
    [["train", "--polcy", "none"], "vdnn: unknown option '--polcy'"],
    [["run", "--policy", "best", "x.js"], "Allowed choices are none, liveness, vdnn-all"],
    [["run"], "vdnn: missing required argument 'script'"],
    [["train", "--device-memory", "lots"], "Expected a size such as 512MiB"],
    [["train", "--steps", "1.5"], "Expected a whole number, 1 or more."],
    [["train", "--network", "brain"], `vdnn: unknown network "brain"; known are chain`],
    [["train", "--report", "nowhere/report.json"], "vdnn: --report: there is no directory"],
  ])("calls %j a usage error", async (args, message) => {
    const { code, stdout, stderr } = await program.vdnn(args, { cwd: project.folder });
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(message);
  });

  it("takes options from the environment, and flags before it", async () => {
    const env = { VDNN_DEVICE_MEMORY: "lots", VDNN_POLICY: "none" };
    expect((await program.vdnn(["train"], { env })).stderr).toContain(
      "value 'lots' from env 'VDNN_DEVICE_MEMORY' is invalid",
    );
    const flags = [...SMALL, "--steps", "1", "--json", "--policy", "liveness"];
    const { stdout } = await program.vdnn(["train", ...flags], { env: { VDNN_POLICY: "none" } });
    expect(JSON.parse(stdout)).toMatchObject({ result: { policy: "liveness" } });
  });

  it.each(["networks", "policies"])("lists %s for people and as JSON", async (what) => {
    const [text, json] = await Promise.all([program.vdnn([what]), program.vdnn([what, "--json"])]);
    const listed = (JSON.parse(json.stdout) as Record<string, { name: string }[]>)[what] ?? [];
    expect(listed.length).toBeGreaterThan(4);
    for (const { name } of listed) expect(text.stdout).toMatch(new RegExp(`^${name} +\\S`, "m"));
  });
});

describe("vdnn train", () => {
  it("prints one JSON document, and nothing else when piped", async () => {
    const { code, stdout, stderr } = await program.vdnn(["train", ...SMALL, "--steps", "3", "--compare", "--json"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const document = JSON.parse(stdout) as { result: { losses: number[]; report: { iterations: unknown[] } } };
    expect(document).toMatchObject({ schema: "vdnn-train/1", backend: "wasm", comparison: { identical: true } });
    expect(document.result.losses).toHaveLength(3);
    expect(document.result.report.iterations).toHaveLength(3);
  });

  it("ends in a table with ratios to stock, and logs to standard error alone", async () => {
    const flags = ["--steps", "3", "--compare", "--log-level", "debug", "--policy", "vdnn-all"];
    const { code, stdout, stderr } = await program.vdnn(["train", ...SMALL, ...flags]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^measured +stock +vdnn-all +ratio$/m);
    expect(stdout).toMatch(/^device peak, after it +[\d.]+ KiB +[\d.]+ KiB +0\.\d+$/m);
    expect(stdout).toContain("losses and weights are bit-identical");
    for (const line of stderr.trimEnd().split("\n")) expect(JSON.parse(line)).toMatchObject({ name: "vdnn" });
  });

  it("exits with 3 and one line when the network does not fit, with a stack only when asked", async () => {
    const args = ["train", ...SMALL, "--device-memory", "2KiB"];
    const [plain, verbose] = await Promise.all([program.vdnn(args), program.vdnn(args, { env: { VDNN_DEBUG: "1" } })]);
    expect({ code: plain.code, stdout: plain.stdout }).toEqual({ code: 3, stdout: "" });
    expect(plain.stderr).toMatch(/^vdnn: .* of 2 KiB is free .*smallest feasible device budget.*\n$/);
    expect(verbose.stderr).toContain("    at ");
  });
});

describe("vdnn demo", () => {
  it("compares all policies and finds the same bits", async () => {
    const flags = [
      "--network",
      "chain",
      "--depth",
      "6",
      "--width",
      "4",
      "--image-size",
      "16",
      "--batch",
      "4",
      "--steps",
      "3",
    ];
    const { code, stdout, stderr } = await program.vdnn(["demo", ...flags]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const policy of ["stock", "stock, again", "liveness", "vdnn-all", "vdnn-conv", "vdnn-dyn", "auto"]) {
      expect(stdout).toMatch(new RegExp(`^${policy}  .* yes$`, "m"));
    }
    expect(stdout).toContain("Everything is measured, here, on backend wasm");
  });
});
