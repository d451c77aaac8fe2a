/** `vdnn run` on WebGPU, where attaching has to be awaited: by whatever the script awaits before it trains. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Graph } from "../../src/graph/graph.ts";
import type { SessionReport } from "../../src/report/result.ts";
import { whyNoWebGpu } from "../support/webgpu.ts";
import { buildProgram, createProject, node, type Outcome, type Program, type Project } from "./support.ts";

const absent = await whyNoWebGpu();

/** What a script does to have WebGPU in Node.js, as the README of the package says; `navigator` is there from Node.js 21 on. */
const PROVIDE = `Object.assign(globalThis, globals);
  Object.defineProperty(globalThis, "navigator", { value: { gpu: create([]) }, configurable: true });`;
const MODULE = `import { create, globals } from "webgpu";
  ${PROVIDE}
  const tf = await import("@tensorflow/tfjs");
  await import("@tensorflow/tfjs-backend-webgpu");`;
const COMMONJS = `const { create, globals } = require("webgpu");
  ${PROVIDE}
  const tf = require("@tensorflow/tfjs");
  require("@tensorflow/tfjs-backend-webgpu");`;
/** Counts device memory where it is made, apart from anything of vdnn. */
const COUNTING = `let bytes = 0, peakBytes = 0;
  const { createBuffer } = GPUDevice.prototype;
  GPUDevice.prototype.createBuffer = function (descriptor) {
    const buffer = createBuffer.call(this, descriptor);
    if ((descriptor.usage & (GPUBufferUsage.MAP_READ | GPUBufferUsage.MAP_WRITE)) !== 0) return buffer;
    const { destroy } = buffer;
    bytes += descriptor.size;
    peakBytes = Math.max(peakBytes, bytes);
    buffer.destroy = () => { bytes -= descriptor.size; destroy.call(buffer); };
    return buffer;
  };`;
const CONVOLUTIONS = `const initializer = (seed) => tf.initializers.glorotUniform({ seed });
  const conv = (seed, shape) => tf.layers.conv2d({ filters: 8, kernelSize: 3, padding: "same", activation: "relu",
    kernelInitializer: initializer(seed), ...(shape ? { inputShape: shape } : {}) });
  const model = tf.sequential({ layers: [conv(1, [16, 16, 2]), conv(2), conv(3), conv(4), tf.layers.globalAveragePooling2d({}),
    tf.layers.dense({ units: 2, activation: "softmax", kernelInitializer: initializer(5) })] });
  model.compile({ optimizer: "adam", loss: "categoricalCrossentropy" });
  const xs = tf.randomUniform([8, 16, 16, 2], 0, 1, "float32", 6);
  const ys = tf.oneHot(tf.tensor1d([0, 1, 0, 1, 1, 0, 0, 1], "int32"), 2);`;
/** Small enough for TF.js to compute it on the processor, which is quick. */
const tiny = (backend: string): string => `{
  const w = tf.variable(tf.tensor1d([1, 2, 3]));
  const model = tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [3], kernelInitializer: "ones" })] });
  model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
  const x = tf.tensor2d([[1, 2, 3], [3, 1, 2]]), y = tf.tensor2d([[1], [2]]);
  const losses = [];
  for (let step = 0; step < 3; step++) losses.push(await model.trainOnBatch(x, y));
  console.log(${JSON.stringify(backend)}, tf.getBackend(), JSON.stringify(losses));
}`;

interface Counted {
  readonly losses: readonly number[];
  readonly peakBytes: number;
}

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

const plain = (script: string, cwd = project.folder): Promise<Outcome> => node([script], { cwd });
const wrapped = (...args: string[]): Promise<Outcome> => program.vdnn(["run", ...args], { cwd: project.folder });

const title = absent === undefined ? "vdnn run on webgpu" : `vdnn run on webgpu (${absent})`;
describe.skipIf(absent !== undefined)(title, { timeout: 300_000 }, () => {
  it("trains a module that brings its own WebGPU, in half of its memory, to the same losses", async () => {
    project.write(
      "train.mjs",
      `${MODULE}
       ${COUNTING}
       await tf.setBackend("webgpu");
       ${CONVOLUTIONS}
       const { history } = await model.fit(xs, ys, { epochs: 4, batchSize: 8, shuffle: false, verbose: 0 });
       console.log(JSON.stringify({ losses: history.loss, peakBytes }));`,
    );
    const stock = await plain("train.mjs");
    expect(stock.code).toBe(0);
    const { losses, peakBytes } = JSON.parse(stock.stdout) as Counted;
    const budget = Math.floor(peakBytes / 2);
    const flags = ["--device-memory", String(budget), "--report", "report.json", "--record", "step.json"];
    const { code, stdout, stderr } = await wrapped(...flags, "train.mjs");
    expect({ code, stderr }).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^vdnn: recorded .*; its kernel times are those of queueing/m) as string,
    });
    expect(stderr).toMatch(/^vdnn: policy auto .*on backend webgpu, 4 iterations/m);
    const counted = JSON.parse(stdout) as Counted;
    expect(counted.losses).toEqual(losses);
    expect(counted.peakBytes).toBeLessThanOrEqual(budget);
    const read = (name: string): unknown => JSON.parse(readFileSync(project.path(name), "utf8"));
    expect(read("report.json") as SessionReport).toMatchObject({ backend: "webgpu", deviceMemoryBytes: budget });
    expect((read("step.json") as Graph).kernels.length).toBeGreaterThan(20);
  });

  it("gives a loop of its own the session, whose absence a synchronous step tells; and ends by process.exit", async () => {
    const { href } = pathToFileURL(join(program.main, "../index.js"));
    project.write(
      "loop.cjs",
      `${COMMONJS}
       tf.ready().then(async () => {
         const { activeSession } = await import(${JSON.stringify(href)});
         const session = activeSession(tf);
         const w = tf.variable(tf.tensor1d([1, 2, 3]));
         const loss = () => tf.sum(tf.square(w));
         const optimizer = tf.train.adam(0.1);
         if (session !== null) {
           try { optimizer.minimize(loss); } catch ({ code, message }) { console.error(code, message); }
         }
         for (let step = 0; step < 3; step++)
           await (session === null ? optimizer.minimize(loss) : session.minimize(optimizer, loss));
         console.log([...(await w.data())].join());
         process.exit(5);
       });`,
    );
    const [stock, { code, stdout, stderr }] = [await plain("loop.cjs"), await wrapped("loop.cjs")];
    expect(stock).toMatchObject({ code: 5, stdout: expect.stringMatching(/^0[.\d,]+/) as string });
    expect({ code, stdout }).toEqual({ code: 5, stdout: stock.stdout });
    expect(stderr).toMatch(/^ERR_BACKEND webgpu cannot wait .*await session\.minimize.*activeSession\(tf\)/m);
    expect(stderr).toMatch(/^vdnn: policy auto .*on backend webgpu, 3 iterations/m);
  });

  it("follows a script from one backend to another and back, with a session and a summary for each", async () => {
    const change = (backend: string): string => `await tf.setBackend("${backend}"); ${tiny(backend)}`;
    const removal = `tf.removeBackend("webgpu"); ${change("cpu")}`;
    project.write("changes.mjs", [MODULE, ...["cpu", "webgpu", "cpu", "webgpu"].map(change), removal].join("\n"));
    const [stock, { code, stdout, stderr }] = [
      await plain("changes.mjs"),
      await wrapped("--report", "changes.json", "changes.mjs"),
    ];
    expect(stock.stdout).toMatch(/^cpu cpu .*\nwebgpu webgpu .*\ncpu cpu .*\nwebgpu webgpu .*\ncpu cpu /);
    expect({ code, stdout, stderr }).toMatchObject({ code: 0, stdout: stock.stdout });
    expect(stderr.match(/on backend \w+, 3 iterations/g)?.map((text) => text.split(/[ ,]+/)[2])).toEqual([
      "cpu",
      "webgpu",
      "cpu",
      "webgpu",
      "cpu",
    ]);
    expect(stderr).toMatch(/^vdnn: the script trained on 5 backends in turn; --report .*: of the last, cpu$/m);
    expect(JSON.parse(readFileSync(project.path("changes.json"), "utf8"))).toMatchObject({ backend: "cpu" });
  });

  it("makes a script that awaits neither setBackend nor ready fail, and say what to await", async () => {
    project.write(
      "never.cjs",
      `${COMMONJS}
       void tf.setBackend("webgpu");
       const timer = setInterval(() => {
         try { tf.zeros([3]); } catch (error) {
           if (error.code === undefined) return;
           console.log(error.code);
           throw error;
         }
         clearInterval(timer);
       }, 0);`,
    );
    const { code, stdout, stderr } = await wrapped("never.cjs");
    expect({ code, stdout }).toEqual({ code: 1, stdout: "ERR_BACKEND\n" });
    expect(stderr).toMatch(
      /VdnnError: .* "webgpu"; `await tf\.setBackend\("webgpu"\)` or `await tf\.ready\(\)` before/,
    );
  });

  it("rejects what the script awaits when it cannot attach", async () => {
    project.write(
      "refused.mjs",
      `${MODULE}
       const refuse = ({ code, message }) => console.log(code, message);
       await tf.setBackend("webgpu").catch(refuse);
       const w = tf.variable(tf.tensor1d([1, 2, 3]));
       try { tf.train.sgd(0.1).minimize(() => tf.sum(w)); } catch (error) { refuse(error); }`,
    );
    const { code, stdout } = await wrapped("--device-memory", "1KiB", "refused.mjs");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ERR_INVALID_OPTION deviceMemory: webgpu keeps 4 KiB .* got 1 KiB in all; raise it$/m);
    expect(stdout).toMatch(/^ERR_BACKEND this script trains on webgpu, and vdnn is not attached to it; `await/m);
  });

  it("attaches when a script that loads tfjs-layers late is ready to train", async () => {
    project.write(
      "late.cjs",
      `const { create, globals } = require("webgpu");
       ${PROVIDE}
       const core = require("@tensorflow/tfjs-core");
       require("@tensorflow/tfjs-backend-cpu");
       require("@tensorflow/tfjs-backend-webgpu");
       void core.setBackend("webgpu").then(async () => {
         console.log([...(await core.add([1], [2]).data())].join());
         const tf = { ...core, ...require("@tensorflow/tfjs-layers") };
         if (process.argv[2] === "waits") await tf.ready();
         try { ${tiny("webgpu")} } catch ({ code, message }) { console.log(code, message); }
       });`,
    );
    const [waits, hastes] = [await wrapped("late.cjs", "waits"), await wrapped("late.cjs")];
    expect(waits).toMatchObject({ code: 0, stdout: expect.stringMatching(/^3\nwebgpu webgpu \[/) as string });
    expect(waits.stderr).toContain("on backend webgpu, 3 iterations");
    expect(hastes.stdout).toMatch(
      /^3\nERR_BACKEND this script trains on webgpu, .*`await tf\.ready\(\)` when TensorFlow\.js is loaded/,
    );
  });

  it("points to the doctor where a script's backend does not start", async () => {
    project.write("absent.mjs", `${MODULE}\nconsole.log(await tf.setBackend("webgpu"));`);
    const env = { VK_ICD_FILENAMES: "/nowhere/icd.json", VK_DRIVER_FILES: "/nowhere/icd.json" };
    const { code, stdout, stderr } = await program.vdnn(["run", "absent.mjs"], { cwd: project.folder, env });
    expect({ code, stdout }).toEqual({ code: 0, stdout: "false\n" });
    expect(stderr).toMatch(/^vdnn: backend webgpu did not start; `vdnn doctor` says what is missing$/m);
  });

  it("virtualizes the copy of TensorFlow.js that the backend was made for, where a process has two", async () => {
    const copied = createProject("copied");
    try {
      copied.write(
        "copies.mjs",
        `import { createRequire } from "node:module";
         const other = createRequire(${JSON.stringify(import.meta.url)})("@tensorflow/tfjs");
         ${MODULE}
         console.log(other.Variable === tf.Variable, other.engine() === tf.engine());
         await tf.setBackend("webgpu");
         ${tiny("webgpu")}
         if (process.argv[2] === "other") {
           const w = other.variable(other.tensor1d([1, 2, 3]));
           try { other.train.sgd(0.1).minimize(() => other.sum(w)); } catch ({ code, message }) { console.log(code, message); }
         }`,
      );
      const [stock, { code, stdout, stderr }] = [
        await plain("copies.mjs", copied.folder),
        await program.vdnn(["run", "copies.mjs"], { cwd: copied.folder }),
      ];
      const other = await program.vdnn(["run", "copies.mjs", "other"], { cwd: copied.folder });
      expect(stock.stdout).toMatch(/^false true\nwebgpu webgpu /);
      expect({ code, stdout }).toEqual({ code: 0, stdout: stock.stdout });
      expect(stderr).toContain("on backend webgpu, 3 iterations");
      expect(other.stdout).toMatch(/^ERR_TFJS_NOT_FOUND .*another copy of TensorFlow\.js.*npm ls/m);
    } finally {
      copied.remove();
    }
  });
});
