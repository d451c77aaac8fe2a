/** `node --import vdnn/register`: whichever copy of TensorFlow.js a script loads from its own node_modules. */
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  buildProgram,
  createProject,
  node,
  type Outcome,
  type Program,
  type Project,
  trainingScript,
} from "./support.ts";

const COMMONJS = `const tf = require("@tensorflow/tfjs");\n`;

let program: Program;
let copied: Project;

beforeAll(() => {
  program = buildProgram();
  copied = createProject("copied");
});

afterAll(() => {
  program.remove();
  copied.remove();
});

const preloaded = (project: Project, script: string, env = {}): Promise<Outcome> =>
  node(["--import", pathToFileURL(program.register).href, script], { cwd: project.folder, env });

describe("vdnn/register", () => {
  it("works alone, configured by variables, on another copy of TensorFlow.js than vdnn's", async () => {
    copied.write(
      "train.cjs",
      trainingScript(COMMONJS) + `console.log(require.resolve("@tensorflow/tfjs-core")); void train();`,
    );
    const [plain, virtualized] = await Promise.all([
      node(["train.cjs"], { cwd: copied.folder }),
      preloaded(copied, "train.cjs", { VDNN_POLICY: "vdnn-all", VDNN_DEVICE_MEMORY: "64KiB" }),
    ]);
    expect(plain.stdout).toContain(copied.folder);
    expect(virtualized).toMatchObject({ code: 0, stdout: plain.stdout });
    expect(virtualized.stderr).toMatch(/^vdnn: policy vdnn-all on backend cpu, 3 iterations/m);
    expect(virtualized.stderr).toMatch(/^vdnn: device peak [\d.]+ KiB of 64 KiB/m);
  });

  it("finds TensorFlow.js in a script that uses its core and layers packages apart", async () => {
    const load = `import * as core from "@tensorflow/tfjs-core";
      import { layers, sequential, initializers } from "@tensorflow/tfjs-layers";
      import "@tensorflow/tfjs-backend-cpu";
      const tf = { ...core, layers, sequential, initializers };\n`;
    copied.write("apart.mjs", trainingScript(load) + "await train();");
    const [plain, virtualized] = await Promise.all([
      node(["apart.mjs"], { cwd: copied.folder }),
      preloaded(copied, "apart.mjs"),
    ]);
    expect(virtualized).toMatchObject({ code: 0, stdout: plain.stdout });
    expect(virtualized.stderr).toContain("3 iterations");
  });

  it("leaves the engine as it is until the first training step", async () => {
    copied.write(
      "before.cjs",
      `${COMMONJS}
       const engine = tf.engine();
       console.log(engine === globalThis._tfengine, Object.keys(engine).join());
       console.log(Object.getOwnPropertyDescriptor(globalThis, "_tfengine").writable);
       console.log(tf.add([1], [2]).dataSync()[0]);`,
    );
    const [plain, virtualized] = await Promise.all([
      node(["before.cjs"], { cwd: copied.folder }),
      preloaded(copied, "before.cjs", { VDNN_QUIET: "1" }),
    ]);
    expect(virtualized).toEqual(plain);
  });

  it("refuses another version of TensorFlow.js in the script's first step, and in every later one", async () => {
    const old = createProject("copied", "4.21.0");
    try {
      old.write("train.cjs", trainingScript(COMMONJS) + `train().catch(({ code }) => console.log(code)).then(train);`);
      const { code, stdout, stderr } = await preloaded(old, "train.cjs");
      expect({ code, stdout }).toEqual({ code: 1, stdout: "ERR_TFJS_VERSION\n" });
      expect(stderr).toMatch(
        /VdnnError: expected TensorFlow\.js 4\.22\.0, got 4\.21\.0; install @tensorflow\/tfjs@4\.22\.0/,
      );
    } finally {
      old.remove();
    }
  });

  it("says what to do when no module exports the script's TensorFlow.js", async () => {
    copied.write(
      "bundled.cjs",
      `${COMMONJS}
       for (const file of Object.keys(require.cache)) delete require.cache[file];
       const w = tf.variable(tf.scalar(1));
       tf.variableGrads(() => w.square());`,
    );
    const { code, stderr } = await preloaded(copied, "bundled.cjs");
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /VdnnError: this script trains with a TensorFlow\.js that no loaded module exports.*leave @tensorflow/,
    );
  });

  it("stops with exit code 2 before the script when a variable has a bad value", async () => {
    copied.write("hello.cjs", `console.log("hello");`);
    expect(await preloaded(copied, "hello.cjs", { VDNN_POLICY: "best" })).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringMatching(/^vdnn: policy: expected one of none, .* got "best"\n$/) as string,
    });
  });

  it("lets a failed write of a report be a message and not an exit code", async () => {
    copied.write("train.cjs", trainingScript(COMMONJS) + "void train();");
    const { code, stderr } = await preloaded(copied, "train.cjs", { VDNN_REPORT: "/nowhere/report.json" });
    expect(code).toBe(0);
    expect(stderr).toMatch(/^vdnn: --report \/nowhere\/report\.json: could not be written: ENOENT/m);
  });
});
