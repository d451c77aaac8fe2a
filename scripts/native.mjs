#!/usr/bin/env node
/**
 * Builds the native addon of TensorFlow.js (`@tensorflow/tfjs-node` or `-node-gpu`) against the libtensorflow of a pip
 * TensorFlow wheel, in place of the frozen TensorFlow 2.9 that upstream's installer downloads. The C API is stable, so the
 * addon's source compiles unchanged against a current wheel. Plain JavaScript: it runs before anything else is built.
 */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { createRequire } from "node:module";
import * as path from "node:path";
import { parseArgs } from "node:util";

const ROOT = path.dirname(import.meta.dirname);
const VERSION = "4.22.0";
const PACKAGES = ["tfjs-node", "tfjs-node-gpu"];
const HELP = `Builds TensorFlow.js's native addon against a pip TensorFlow wheel (Linux x86-64 and arm64).

Examples:
  npm run native                                      CPU addon from the wheel tensorflow-cpu
  npm run native -- --check                           only report the state; exit 0 if it works, else 1
  npm run native -- --wheel tensorflow-cpu==2.21.0    another wheel
  npm run native -- --wheel-dir /usr/lib/python3/dist-packages
  npm run native -- --package tfjs-node-gpu           CUDA, from tensorflow[and-cuda] (several GB; not tested by us)
  npm run native -- --upstream                        upstream's own installer (downloads TensorFlow 2.9)

Options:
  --package NAME     tfjs-node (default) or tfjs-node-gpu
  --wheel REQ        pip requirement; default tensorflow-cpu, for tfjs-node-gpu tensorflow[and-cuda]
  --wheel-dir DIR    a directory that holds an unpacked wheel: site-packages or a \`pip install --target\`
  --upstream         run upstream's installer instead
  --force            build again although the addon works
  --check            only report the state
  --json             one JSON document on stdout, progress on stderr
  --help             this text`;

/**
 * A failure that was foreseen: one sentence on what happened, one on what to do. `unavailable` marks what the machine lacks
 * (a compiler, a package index), as against an addon that was built and does not work.
 */
class Failure extends Error {
  constructor(message, remedy, unavailable = false) {
    super(message);
    this.remedy = remedy;
    this.unavailable = unavailable;
  }
}

const options = readOptions();
const started = performance.now();
const steps = [];
try {
  const report = options.check ? check() : build();
  finish(report, report.works ? 0 : 1);
} catch (error) {
  const remedy =
    error instanceof Failure ? error.remedy : "Run again with --force; the wasm backend works without an addon.";
  const unavailable = error instanceof Failure && error.unavailable;
  finish({ works: false, error: error.message.split("\n")[0], remedy, unavailable }, 1);
}

function readOptions() {
  const string = { type: "string" };
  const flag = { type: "boolean", default: false };
  try {
    const { values } = parseArgs({
      options: {
        package: { type: "string", default: "tfjs-node" },
        wheel: string,
        "wheel-dir": string,
        upstream: flag,
        force: flag,
        check: flag,
        json: flag,
        help: { ...flag, short: "h" },
      },
    });
    if (!PACKAGES.includes(values.package)) {
      throw new Error(`--package: expected ${PACKAGES.join(" or ")}, got ${values.package}`);
    }
    if (values.help) {
      console.log(HELP);
      process.exit(0);
    }
    const gpu = values.package === "tfjs-node-gpu";
    return { ...values, gpu, wheel: values.wheel ?? (gpu ? "tensorflow[and-cuda]" : "tensorflow-cpu") };
  } catch (error) {
    console.error(`native: ${error.message.split(". To specify")[0]}\nSee npm run native -- --help`);
    return process.exit(2);
  }
}

function build() {
  const state = check();
  if (state.works && !options.force) return { ...state, already: true };
  if (options.upstream) return upstream();
  requirePlatform();
  step("Find the tools", () => requireTools());
  const folder = step(`Find @tensorflow/${options.package}`, () => ensurePackage());
  const wheel = step(options["wheel-dir"] ? "Look at --wheel-dir" : `Get the wheel ${options.wheel}`, () =>
    findWheel(),
  );
  const libraryPath = step("Link its headers and libraries", () => link(folder, wheel));
  step("Compile the addon", () => compile(folder));
  return prove(libraryPath);
}

/** Loads the addon and multiplies two small matrices, in a child process so that a crash there is only a result here. */
function check() {
  const folder = findPackage();
  const base = { package: `@tensorflow/${options.package}` };
  if (folder === undefined) return { ...base, works: false, reason: "the package is not installed" };
  if (!fs.readdirSync(folder).includes("lib")) return { ...base, works: false, reason: "its addon is not built" };
  const script = `
    const util = require("node:util");
    util.isNullOrUndefined ??= (value) => value === null || value === undefined;
    util.isArray ??= Array.isArray;
    const tf = require(process.argv[1]);
    const product = tf.matMul(tf.ones([64, 32]), tf.ones([32, 64])).dataSync();
    const backend = tf.backend();
    process.stdout.write(JSON.stringify({
      works: product.every((value) => value === 32),
      tensorflow: backend.binding.TF_Version, gpu: backend.isUsingGpuDevice }));`;
  const child = run(process.execPath, ["-e", script, folder], { env: { TF_CPP_MIN_LOG_LEVEL: "2" }, timeout: 120_000 });
  if (child.status === 0) return { ...base, ...JSON.parse(child.stdout), addon: findAddon(folder) };
  const thrown = /^(?:\w*Error): (.*)$/m.exec(child.stderr)?.[1];
  return {
    ...base,
    works: false,
    reason: thrown ?? `loading it ended with ${child.signal ?? `exit code ${child.status}`}`,
  };
}

/** The last step of both ways to build. */
function prove(libraryPath) {
  const report = step("Load it and multiply two matrices", () => {
    const state = check();
    if (!state.works) {
      throw new Failure(
        `The addon was built but does not work: ${state.reason}.`,
        libraryPath.length > 0
          ? `Try again with LD_LIBRARY_PATH=${libraryPath.join(":")}.`
          : "Try another wheel with --wheel, or train on the wasm backend, which needs no addon.",
      );
    }
    return state;
  });
  return libraryPath.length > 0 ? { ...report, libraryPath } : report;
}

function requirePlatform() {
  if (process.platform === "linux" && ["x64", "arm64"].includes(process.arch)) return;
  throw new Failure(
    `A pip wheel's libtensorflow fits the addon on Linux x86-64 and arm64 only, and this is ${process.platform} ${process.arch}.`,
    "Use --upstream, or the Docker image, or the wasm backend, which needs no addon.",
    true,
  );
}

function requireTools() {
  const tools = ["make", process.env.CXX ?? "g++", "python3"];
  const missing = tools.filter((tool) => run(tool, ["--version"]).status !== 0);
  if (missing.length > 0) {
    throw new Failure(
      `Compiling the addon needs ${missing.join(", ")}.`,
      "On Debian and Ubuntu: apt-get install make g++ python3 python3-pip.",
      true,
    );
  }
}

function findPackage() {
  try {
    return path.dirname(createRequire(import.meta.url).resolve(`@tensorflow/${options.package}/package.json`));
  } catch {
    return undefined;
  }
}

function ensurePackage() {
  const found = findPackage();
  if (found !== undefined) return fs.realpathSync(found);
  const specifier = `@tensorflow/${options.package}@${VERSION}`;
  // The addon's own install script would fail or download an old libtensorflow: only the files are wanted.
  const flags = ["--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const child = run("npm", ["install", ...flags, specifier], { cwd: ROOT });
  const folder = findPackage();
  if (child.status === 0 && folder !== undefined) return fs.realpathSync(folder);
  throw new Failure(
    `npm could not install ${specifier}: ${lastLine(child)}`,
    "Check the npm registry and run again.",
    true,
  );
}

function findWheel() {
  const given = options["wheel-dir"];
  const name = options.wheel.replaceAll(/[^\w.-]+/g, "-").replace(/-+$/, "");
  const target = given === undefined ? path.join(ROOT, ".native", name) : path.resolve(given);
  const isWheel = () => fs.existsSync(path.join(target, "tensorflow/include/tensorflow/c/c_api.h"));
  if (isWheel()) return fs.realpathSync(target);
  if (given !== undefined) {
    throw new Failure(
      `${given} holds no unpacked TensorFlow wheel: tensorflow/include/tensorflow/c/c_api.h is not there.`,
      "Give the directory above `tensorflow`: site-packages, or one filled by pip install --target.",
    );
  }
  const partial = `${target}.partial`;
  fs.rmSync(partial, { recursive: true, force: true });
  fs.mkdirSync(partial, { recursive: true });
  const dependencies = options.wheel.includes("[") ? [] : ["--no-deps"];
  const quiet = ["--quiet", "--no-compile", "--disable-pip-version-check", "--no-warn-script-location"];
  const pip = (...more) =>
    run("python3", ["-m", "pip", "install", ...quiet, ...dependencies, ...more, "--target", partial, options.wheel]);
  let child = pip();
  // Only the C++ libraries are used, so a wheel for another Python than the one at hand does as well.
  if (child.status !== 0 && /No matching distribution/.test(child.stderr)) {
    child = pip("--only-binary=:all:", "--python-version", "3.12");
  }
  if (child.status !== 0) {
    fs.rmSync(partial, { recursive: true, force: true });
    throw new Failure(
      `pip could not get ${options.wheel}: ${lastLine(child)}`,
      "Check python3 -m pip and its package index, name another wheel with --wheel, or unpack one and give --wheel-dir.",
      true,
    );
  }
  fs.rmSync(target, { recursive: true, force: true });
  fs.renameSync(partial, target);
  if (isWheel()) return fs.realpathSync(target);
  throw new Failure(
    `${options.wheel} has no C headers: it is not a TensorFlow wheel for this use.`,
    "Use --wheel tensorflow-cpu.",
  );
}

/** Fills the package's `deps/` with links into the wheel; returns the folders of CUDA libraries that lie beside it. */
function link(folder, wheel) {
  const deps = path.join(folder, "deps");
  const tensorflow = path.join(wheel, "tensorflow");
  fs.rmSync(deps, { recursive: true, force: true });
  fs.mkdirSync(path.join(deps, "lib"), { recursive: true });
  const place = (source, name) => {
    const at = path.join(deps, name);
    fs.symlinkSync(path.relative(path.dirname(at), source), at);
  };
  place(path.join(tensorflow, "include"), "include");
  for (const [stem, plain] of [
    ["libtensorflow_cc.so.", "libtensorflow.so"],
    ["libtensorflow_framework.so.", "libtensorflow_framework.so"],
  ]) {
    const file = fs.readdirSync(tensorflow).find((name) => name.startsWith(stem));
    if (file === undefined) {
      throw new Failure(
        `The wheel has no ${stem}2, which holds the C API.`,
        "Use a wheel of TensorFlow 2.14 or later.",
      );
    }
    place(path.join(tensorflow, file), `lib/${file}`);
    place(path.join(tensorflow, file), `lib/${plain}`);
  }
  const nvidia = path.join(wheel, "nvidia");
  if (!options.gpu || !fs.existsSync(nvidia)) return [];
  // The wheel's libraries search $ORIGIN/../nvidia, and the loader takes $ORIGIN from the link, not from its target.
  place(nvidia, "nvidia");
  const folders = fs.readdirSync(nvidia).map((name) => path.join(nvidia, name, "lib"));
  return folders.filter((name) => fs.existsSync(name));
}

function compile(folder) {
  const preGyp = createRequire(path.join(folder, "package.json")).resolve("@mapbox/node-pre-gyp/bin/node-pre-gyp");
  const nodedir = process.env.npm_config_nodedir ?? headersOfThisNode();
  const child = run(process.execPath, [preGyp, "install", "--build-from-source", "--module_name=tfjs_binding"], {
    cwd: folder,
    env: nodedir === undefined ? {} : { npm_config_nodedir: nodedir },
  });
  const log = path.join(ROOT, ".native", "build.log");
  fs.mkdirSync(path.dirname(log), { recursive: true });
  fs.writeFileSync(log, `${child.stdout}\n${child.stderr}`);
  if (child.status === 0) return;
  throw /headers\.tar\.gz/.test(child.stderr)
    ? new Failure(
        `Node.js ${process.version} lies here without its headers, and they could not be downloaded.`,
        "Install Node.js from its archive, which holds them, or set npm_config_nodedir to a folder with include/node.",
        true,
      )
    : new Failure("The addon did not compile.", `See ${path.relative(process.cwd(), log)}, or try another --wheel.`);
}

/** Node's archives hold its headers; with them node-gyp needs no download. Only headers of exactly this version will do. */
function headersOfThisNode() {
  const prefix = path.dirname(path.dirname(fs.realpathSync(process.execPath)));
  try {
    const text = fs.readFileSync(path.join(prefix, "include/node/node_version.h"), "utf8");
    const part = (name) => new RegExp(`define NODE_${name}_VERSION (\\d+)`).exec(text)?.[1];
    const version = `v${part("MAJOR")}.${part("MINOR")}.${part("PATCH")}`;
    return version === process.version ? prefix : undefined;
  } catch {
    return undefined;
  }
}

function upstream() {
  const folder = step(`Find @tensorflow/${options.package}`, () => ensurePackage());
  step("Run upstream's installer", () => {
    const deps = path.join(folder, "deps");
    const previous = `${deps}.previous`;
    fs.rmSync(previous, { recursive: true, force: true });
    if (fs.existsSync(deps)) fs.renameSync(deps, previous);
    const child = run("npm", ["run", "install", "--silent"], { cwd: folder });
    if (child.status === 0 && findAddon(folder) !== undefined) return;
    fs.rmSync(deps, { recursive: true, force: true });
    if (fs.existsSync(previous)) fs.renameSync(previous, deps);
    const host = /(?:ENOTFOUND|ECONNREFUSED|EAI_AGAIN|ETIMEDOUT)/.exec(child.stderr)?.[0];
    throw new Failure(
      host
        ? `Upstream's download host cannot be reached (${host}).`
        : `Upstream's installer failed: ${lastLine(child)}`,
      "On Linux leave --upstream out, which takes libtensorflow from a pip wheel.",
    );
  });
  return prove([]);
}

function findAddon(folder) {
  const lib = path.join(folder, "lib");
  if (!fs.existsSync(lib)) return undefined;
  const found = fs.readdirSync(lib, { recursive: true }).find((name) => String(name).endsWith("tfjs_binding.node"));
  return found === undefined ? undefined : path.relative(ROOT, path.join(lib, String(found)));
}

function run(command, args, { cwd, env, timeout } = {}) {
  const child = spawnSync(command, args, {
    cwd,
    env: { ...process.env, ...env },
    timeout,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  return child.error && child.status === null && child.signal === null
    ? { status: 127, signal: null, stdout: "", stderr: `${command}: ${child.error.message}` }
    : child;
}

function lastLine(child) {
  const lines = `${child.stdout}\n${child.stderr}`
    .split("\n")
    .filter((line) => /\S/.test(line) && !/WARNING|notice/.test(line));
  return (lines.at(-1) ?? `exit code ${child.status}`).trim();
}

function step(title, action) {
  const begin = performance.now();
  const say = options.json ? console.error : console.log;
  const done = (mark) => {
    const seconds = Number(((performance.now() - begin) / 1000).toFixed(1));
    steps.push({ title, ok: mark === "ok", seconds });
    say(`${mark.padEnd(6)} ${title} (${seconds.toFixed(1)} s)`);
  };
  try {
    const value = action();
    done("ok");
    return value;
  } catch (error) {
    done("failed");
    throw error;
  }
}

function finish(report, code) {
  const seconds = Number(((performance.now() - started) / 1000).toFixed(1));
  if (options.json) {
    console.log(JSON.stringify({ schema: "vdnn-native/1", ...report, steps, seconds }));
  } else if (report.works) {
    const device = report.gpu ? "GPU" : "CPU";
    const verb = report.already ? "already built" : "works";
    console.log(`${report.package} ${verb}: TensorFlow ${report.tensorflow} on the ${device} (${seconds} s)`);
    if (options.gpu) console.log("The CUDA build is not tested by the project; please report how it went.");
    if (report.libraryPath) console.log(`If CUDA is not found: export LD_LIBRARY_PATH=${report.libraryPath.join(":")}`);
  } else if (report.error === undefined) {
    console.log(`${report.package} does not work: ${report.reason}. Run: npm run native`);
  } else {
    console.error(`native: ${report.error}\n${report.remedy}`);
  }
  process.exitCode = code;
}
