/**
 * The program as users get it: built, started as a process of its own, in a project that has its own node_modules. Each test
 * file builds into a folder of its own, as files run beside each other.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../..");
const MODULES = join(ROOT, "node_modules");
/** What `@tensorflow/tfjs` needs in Node.js, and a backend beside it, with the file that is loaded of each. */
const TFJS_FILES: Readonly<Record<string, string>> = {
  tfjs: "dist/tf.node.js",
  "tfjs-core": "dist/tf-core.node.js",
  "tfjs-layers": "dist/tf-layers.node.js",
  "tfjs-data": "dist/tf-data.node.js",
  "tfjs-converter": "dist/tf-converter.node.js",
  "tfjs-backend-cpu": "dist/tf-backend-cpu.node.js",
  "tfjs-backend-webgl": "dist/tf-backend-webgl.node.js",
  "tfjs-backend-webgpu": "dist/tf-backend-webgpu.node.js",
};

export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** Called with everything on standard output so far, whenever there is more. */
  readonly onStdout?: (text: string, child: ChildProcess) => void;
  /** The same for standard error. */
  readonly onStderr?: (text: string, child: ChildProcess) => void;
}

export interface Program {
  /** The built `main.js` and `register.js`. */
  readonly main: string;
  readonly register: string;
  vdnn(args: readonly string[], options?: RunOptions): Promise<Outcome>;
  remove(): void;
}

export function buildProgram(): Program {
  mkdirSync(join(ROOT, "out"), { recursive: true });
  const folder = mkdtempSync(join(ROOT, "out", "cli-"));
  const compiler = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc");
  const remove = (): void => rmSync(folder, { recursive: true });
  try {
    execFileSync(process.execPath, [compiler, "-p", join(ROOT, "tsconfig.build.json"), "--outDir", folder], {
      stdio: "inherit",
    });
  } catch (error) {
    remove();
    throw error;
  }
  const main = join(folder, "main.js");
  return {
    main,
    register: join(folder, "register.js"),
    vdnn: (args, options) => node([main, ...args], options),
    remove,
  };
}

/** Runs Node.js to its end. Variables of this test run that would configure vdnn are left out. */
export function node(
  args: readonly string[],
  { cwd, env = {}, input = "", onStdout, onStderr }: RunOptions = {},
): Promise<Outcome> {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(VDNN_|NODE_OPTIONS$|VITEST)/.test(name));
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, args, {
      stdio: "pipe",
      env: { ...Object.fromEntries(inherited), ...env },
      ...(cwd === undefined ? {} : { cwd }),
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      onStdout?.(stdout, child);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
      onStderr?.(stderr, child);
    });
    child.once("error", fail);
    child.once("close", (code, signal) => done({ code, signal, stdout, stderr }));
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
  });
}

export interface Project {
  readonly folder: string;
  path(name: string): string;
  write(name: string, text: string): string;
  remove(): void;
}

/**
 * A folder with a node_modules of its own.
 * @param tfjs `linked` resolves to this repository's TensorFlow.js; `copied` is a second copy, whose version can be another
 */
export function createProject(tfjs: "linked" | "copied", version = "4.22.0"): Project {
  const folder = mkdtempSync(join(tmpdir(), "vdnn-cli-"));
  const modules = join(folder, "node_modules");
  mkdirSync(modules);
  for (const name of readdirSync(MODULES)) {
    if (name.startsWith(".") || (name === "@tensorflow" && tfjs === "copied")) continue;
    symlinkSync(join(MODULES, name), join(modules, name));
  }
  if (tfjs === "copied") copyTensorFlow(join(modules, "@tensorflow"), version);
  const path = (name: string): string => join(folder, name);
  return {
    folder,
    path,
    write(name, text) {
      mkdirSync(dirname(path(name)), { recursive: true });
      writeFileSync(path(name), text);
      return path(name);
    },
    remove: () => rmSync(folder, { recursive: true }),
  };
}

function copyTensorFlow(target: string, version: string): void {
  for (const [name, main] of Object.entries(TFJS_FILES)) {
    for (const file of ["package.json", main]) {
      cpSync(join(MODULES, "@tensorflow", name, file), join(target, name, file), { dereference: true });
    }
  }
  if (version === "4.22.0") return;
  const core = join(target, "tfjs-core", TFJS_FILES["tfjs-core"] ?? "");
  execFileSync("sed", ["-i", `s/'4[.]22[.]0'/'${version}'/`, core]);
}

/** A training script of a few steps on the cpu backend; prints its losses as one line of JSON. */
export function trainingScript(load: string, { steps = 3, extra = "" } = {}): string {
  return `${load}
async function train() {
  await tf.setBackend("cpu");
  const initializer = (seed) => tf.initializers.glorotUniform({ seed });
  const conv = (seed, shape) => tf.layers.conv2d({ filters: 4, kernelSize: 3, padding: "same", activation: "relu",
    kernelInitializer: initializer(seed), ...(shape ? { inputShape: shape } : {}) });
  const model = tf.sequential({ layers: [conv(1, [8, 8, 2]), conv(2), conv(3), tf.layers.flatten(),
    tf.layers.dense({ units: 2, activation: "softmax", kernelInitializer: initializer(4) })] });
  model.compile({ optimizer: "adam", loss: "categoricalCrossentropy" });
  const xs = tf.randomUniform([6, 8, 8, 2], 0, 1, "float32", 5);
  const ys = tf.oneHot(tf.tensor1d([0, 1, 0, 1, 1, 0], "int32"), 2);
  const losses = [];
  for (let step = 0; step < ${steps}; step++) {
    losses.push(await model.trainOnBatch(xs, ys));
    ${extra}
  }
  console.log(JSON.stringify(losses));
}
`;
}
