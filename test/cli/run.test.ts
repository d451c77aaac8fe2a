/** `vdnn run`: the wrapper changes nothing that a script can see, except where its memory is. */
import { type ChildProcess, execFileSync, fork } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Graph } from "../../src/graph/graph.ts";
import { expectSound } from "../report/html/markup.ts";
import type { SessionReport } from "../../src/report/result.ts";
import type { ChromeTrace } from "../../src/report/trace-events.ts";
import { buildProgram, createProject, node, type Program, type Project, trainingScript } from "./support.ts";

const COMMONJS = `const tf = require("@tensorflow/tfjs");\n`;
const MODULE = `import * as tf from "@tensorflow/tfjs";\n`;

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

const inProject = (args: readonly string[], options = {}): ReturnType<Program["vdnn"]> =>
  program.vdnn(["run", ...args], { cwd: project.folder, ...options });

function isGlibc(): boolean {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime !== undefined;
}

function interruptWhenReady(text: string, child: ChildProcess): void {
  if (text === "ready\n") child.kill("SIGINT");
}

describe("vdnn run", () => {
  it.each([
    ["train.cjs", trainingScript(COMMONJS) + "void train();"],
    ["train.js", trainingScript(COMMONJS) + "void train();"],
    ["train.mjs", trainingScript(MODULE) + "await train();"],
    ["train.ts", trainingScript(MODULE) + "const done: Promise<void> = train();\nvoid done;"],
  ])("trains %s, unmodified, to the same losses as node", async (name, text) => {
    const script = project.write(name, text);
    const loader = /\.m?ts$/.test(name) ? ["--import", import.meta.resolve("tsx")] : [];
    const [plain, wrapped] = await Promise.all([node([...loader, script], { cwd: project.folder }), inProject([name])]);
    expect(plain.code).toBe(0);
    expect({ code: wrapped.code, stdout: wrapped.stdout }).toEqual({ code: 0, stdout: plain.stdout });
    expect(wrapped.stderr).toMatch(/^vdnn: policy auto .*on backend cpu, 3 iterations/m);
    expect(wrapped.stderr).toMatch(/^vdnn: device peak [\d.]+ KiB \(no budget\)/m);
  });

  it("does not mind a tsconfig.json that is broken or redirects modules", async () => {
    const other = createProject("linked");
    try {
      other.write(
        "tsconfig.json",
        `{ "extends": "@nowhere/tsconfig", "compilerOptions": { "paths": { "*": ["./none/*"] } } }`,
      );
      other.write("train.ts", trainingScript(MODULE) + "void train();");
      const { code, stdout, stderr } = await program.vdnn(["run", "train.ts"], { cwd: other.folder });
      expect({ code, lines: stdout.split("\n").length }).toEqual({ code: 0, lines: 2 });
      expect(stderr).toContain("3 iterations");
    } finally {
      other.remove();
    }
  });

  it("passes arguments, environment, standard input and output through, byte for byte", async () => {
    const script = project.write(
      "echo.cjs",
      `const { argv, env, execArgv } = process;
       process.stdout.write(JSON.stringify({ argv, execArgv, main: require.main === module,
         vdnn: Object.keys(env).filter((name) => name.startsWith("VDNN_")) }) + "\\n");
       process.stdin.pipe(process.stdout);`,
    );
    const args = ["--help", "--policy", "x", "--", "-q", "ä b", ""];
    const options = { cwd: project.folder, input: "bytes \u0000\u00e9\r\n", env: { VDNN_POLICY: "vdnn-all" } };
    const plain = await node(["echo.cjs", ...args], options);
    const wrapped = await inProject(["--device-memory", "1GiB", "--quiet", "echo.cjs", ...args], options);
    expect(wrapped).toEqual(plain);
    expect(JSON.parse(plain.stdout.split("\n")[0] ?? "")).toMatchObject({
      argv: [process.execPath, script, ...args],
      execArgv: [],
    });
  });

  it.each([
    ["returns", "", 0],
    ["sets an exit code", "process.exitCode = 7;", 7],
    ["exits", "process.exit(9);", 9],
    ["throws", `throw new Error("mine");`, 1],
    ["rejects", `void Promise.reject(new Error("mine"));`, 1],
  ])("ends like a script that %s", async (_, end, code) => {
    project.write("end.cjs", `process.on("exit", () => console.log("bye"));\n${end}`);
    const outcome = await inProject(["end.cjs"]);
    expect({ code: outcome.code, stdout: outcome.stdout }).toEqual({ code, stdout: "bye\n" });
    expect(outcome.stderr).toContain("vdnn: the script never trained a model in this process");
    if (code === 1) expect(outcome.stderr).toContain("Error: mine");
  });

  it("leaves an error inside a training step to the script, and goes on afterwards", async () => {
    const extra = `if (step === 1) {
      try { tf.variableGrads(() => { throw new Error("mine"); }); } catch (error) { console.log(error.message); }
    }`;
    project.write("throws.cjs", trainingScript(COMMONJS, { extra, steps: 4 }) + "void train();");
    const [plain, wrapped] = await Promise.all([
      node(["throws.cjs"], { cwd: project.folder }),
      inProject(["throws.cjs"]),
    ]);
    expect(plain.stdout).toMatch(/^mine\n\[/);
    expect(wrapped.stdout).toBe(plain.stdout);
  });

  it("lets a budget below the weights surface in the script as an exception, with what would help", async () => {
    project.write("large.cjs", trainingScript(COMMONJS) + "void train();");
    const { code, stderr, stdout } = await inProject(["--device-memory", "1KiB", "large.cjs"]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/VdnnError: .* needs .* of 1 KiB is free .*smallest feasible device budget: at least /);
    expect(stderr).toContain("ERR_OUT_OF_MEMORY");
    project.write("catches.cjs", trainingScript(COMMONJS) + "train().catch(({ code }) => console.log(code));");
    expect(await inProject(["--device-memory", "1KiB", "catches.cjs"])).toMatchObject({
      code: 0,
      stdout: "ERR_OUT_OF_MEMORY\n",
    });
  });

  it("writes report, trace and record where it was told, whatever the script's working directory is", async () => {
    project.write("files.cjs", trainingScript(COMMONJS) + `process.chdir("/"); void train();`);
    const flags = [
      "--report",
      "report.json",
      "--trace",
      "trace.json",
      "--record",
      "graph.json",
      "--policy",
      "vdnn-all",
    ];
    expect((await inProject([...flags, "--quiet", "files.cjs"])).stderr).not.toContain("vdnn:");
    const read = (name: string): unknown => JSON.parse(readFileSync(project.path(name), "utf8"));
    const report = read("report.json") as SessionReport;
    expect(report).toMatchObject({ schema: "vdnn-report/2", policy: "vdnn-all", backend: "cpu" });
    expect(report.iterations).toHaveLength(3);
    expect(read("graph.json") as Graph).toMatchObject({ schema: "vdnn-graph/1" });
    const { traceEvents } = read("trace.json") as ChromeTrace;
    expect(new Set(traceEvents.map(({ ph }) => ph))).toEqual(new Set(["M", "X", "C"]));
  });

  it("writes a page instead where the report's name ends in .html, with the script's name as text", async () => {
    const name = "a<b>&c.cjs";
    project.write(name, trainingScript(COMMONJS) + "void train();");
    const flags = ["--report", "report.html", "--policy", "vdnn-all", "--device-memory", "1MiB", "--quiet"];
    const { code, stderr } = await inProject([...flags, name, "--lr=<1>"]);
    expect(code).toBe(0);
    expect(stderr).not.toContain("vdnn:");
    const html = readFileSync(project.path("report.html"), "utf8");
    expectSound(html);
    expect(html).toContain(">a&lt;b&gt;&amp;c.cjs</h1>");
    expect(html).toContain("--lr=&lt;1&gt;");
    expect(html).toContain(">Memory over the whole run</h2>");
    expect(html).toMatch(/<rect [^>]*fill="var\(--backward\)"/);
  });

  it("takes --spill with and without a directory", async () => {
    mkdirSync(project.path("spilled"), { recursive: true });
    project.write("spill.cjs", trainingScript(COMMONJS) + `console.log(process.argv.length); void train();`);
    const budget = ["--device-memory", "40KiB", "--host-memory", "128KiB", "--policy", "vdnn-all"];
    for (const spill of [["--spill"], ["--spill", "spilled"], ["--spill=spilled"]]) {
      const { code, stdout, stderr } = await inProject([...budget, ...spill, "spill.cjs", "--spill", "x.ts"]);
      expect({ code, first: stdout.split("\n")[0], stderr }).toMatchObject({ code: 0, first: "4" });
      expect(stderr).toMatch(/spill peak .* in \//);
    }
    expect(readdirSync(project.path("spilled"))).toEqual([]);
    expect(await inProject(["--spill", "nowhere", "spill.cjs"])).toMatchObject({ code: 2, stdout: "" });
  });

  it.each(["SIGINT", "SIGTERM"] as const)("ends at once on %s in the middle of a step", async (signal) => {
    mkdirSync(project.path("interrupted"), { recursive: true });
    project.write(
      "long.cjs",
      `${COMMONJS}
       const { writeSync } = require("node:fs");
       tf.setBackend("cpu");
       const w = tf.variable(tf.ones([512, 512]));
       tf.variableGrads(() => {
         let y = w;
         writeSync(1, process.pid + "\\n");
         for (let i = 0; i < 1e6; i++) y = tf.matMul(y, w);
         return tf.sum(y);
       });`,
    );
    let sentAt = 0;
    const onStdout = (_: string, child: ChildProcess): void => {
      sentAt = performance.now();
      child.kill(signal);
    };
    const flags = ["--spill", "interrupted", "--device-memory", "1GiB"];
    const { code, stdout } = await inProject([...flags, "long.cjs"], { onStdout });
    expect(code).toBe(signal === "SIGINT" ? 130 : 143);
    expect(performance.now() - sentAt).toBeLessThan(5000);
    expect(() => process.kill(Number(stdout), 0)).toThrow("ESRCH");
    expect(readdirSync(project.path("interrupted"))).toEqual([]);
  });

  it("lets a script handle its signals", async () => {
    project.write(
      "handles.cjs",
      `process.on("SIGINT", () => { console.log("saved"); clearInterval(timer); });
       const timer = setInterval(() => {}, 1000);
       console.log("ready");`,
    );
    expect(await inProject(["handles.cjs"], { onStdout: interruptWhenReady })).toMatchObject({
      code: 0,
      stdout: "ready\nsaved\n",
    });
  });

  it("is not in the processes and threads that the script starts", async () => {
    project.write(
      "parent.cjs",
      `const { fork } = require("node:child_process");
       const { Worker, isMainThread } = require("node:worker_threads");
       if (process.send === undefined && isMainThread) {
         fork(__filename, [], { silent: true }).on("exit", () => new Worker(__filename).on("error", console.log));
       } else if (Object.getOwnPropertyDescriptor(globalThis, "_tfengine")) throw new Error("virtualized");`,
    );
    const { code, stdout, stderr } = await inProject(["parent.cjs"]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    expect(stderr.match(/never trained/g)).toHaveLength(1);
  });

  it.runIf(process.platform === "linux")("passes descriptors above 2 through, under their numbers", () => {
    project.write(
      "descriptors.cjs",
      `const fs = require("node:fs");
       fs.writeSync(3, "to the file ");
       fs.writeSync(9, fs.readFileSync(5));
       const own = fs.readdirSync("/proc/self/fd").filter((fd) => {
         try { return fs.readlinkSync("/proc/self/fd/" + fd) === process.argv[2]; } catch { return false; }
       });
       console.log(own.join());`,
    );
    const file = project.path("descriptors.txt");
    const shell = (command: string): string =>
      execFileSync(
        "sh",
        ["-c", `echo from the pipe | exec ${command} descriptors.cjs "$1" 3>"$1" 9>&3 5<&0`, "sh", file],
        {
          cwd: project.folder,
          encoding: "utf8",
          stdio: ["ignore", "pipe", "ignore"],
        },
      );
    const outcome = (command: string): string[] => [shell(command), readFileSync(file, "utf8")];
    expect(outcome(`"${process.execPath}"`)).toEqual(["3,9\n", "to the file from the pipe\n"]);
    expect(outcome(`"${process.execPath}" "${program.main}" run`)).toEqual(["3,9\n", "to the file from the pipe\n"]);
  });

  it.each(["json", "advanced"] as const)("hands %s messages on between the script and who forked it", async (form) => {
    project.write(
      "messages.cjs",
      `process.on("message", (message) => {
         if (message !== "end") return process.send({ echo: message });
         process.send({ last: "x".repeat(1e6) }, () => process.disconnect());
       });
       process.send({ isMap: new Map([[1, 2]]) instanceof Map, map: new Map([[1, 2]]) });`,
    );
    const talk = async (file: string, args: readonly string[]): Promise<unknown[]> => {
      const child = fork(file, args, { cwd: project.folder, serialization: form, execArgv: [], silent: true });
      const messages: unknown[] = [];
      child.on("message", (message) => messages.push(message));
      child.send(["early", 1]);
      child.send("end");
      const [code] = (await once(child, "close")) as [number];
      return [code, ...messages];
    };
    const plain = await talk(project.path("messages.cjs"), []);
    expect(plain).toHaveLength(4);
    expect(await talk(program.main, ["run", "messages.cjs"])).toEqual(plain);
  });

  it("ends a script that listens for messages when who forked it hangs up", async () => {
    project.write("listens.cjs", `process.on("message", () => {}); process.send("ready");`);
    const child = fork(program.main, ["run", "listens.cjs"], { cwd: project.folder, execArgv: [], silent: true });
    await once(child, "message");
    child.disconnect();
    expect(await once(child, "exit")).toEqual([0, null]);
  });

  it.runIf(isGlibc())(
    "--return-memory has the allocator of the script, and of its children, return freed buffers",
    async () => {
      project.write(
        "allocator.cjs",
        `const { execFileSync } = require("node:child_process");
       const inChild = execFileSync(process.execPath, ["-p", "process.env.MALLOC_MMAP_THRESHOLD_"], { encoding: "utf8" });
       console.log(process.env.MALLOC_MMAP_THRESHOLD_, inChild.trim());`,
      );
      expect((await inProject(["allocator.cjs"])).stdout).toBe("undefined undefined\n");
      const flagged = await inProject(["--return-memory", "allocator.cjs"]);
      expect(flagged.stdout).toBe("1048576 1048576\n");
      expect(flagged.stderr).not.toContain("--return-memory");
      const env = { MALLOC_MMAP_THRESHOLD_: "65536" };
      expect((await inProject(["--return-memory", "allocator.cjs"], { env })).stdout).toBe("65536 65536\n");
    },
  );

  it("says where --return-memory has no effect, and runs the script without", async () => {
    project.write("elsewhere.cjs", `Object.defineProperty(process, "platform", { value: "darwin" });`);
    project.write("allocator-elsewhere.cjs", "console.log(process.env.MALLOC_MMAP_THRESHOLD_);");
    const env = { NODE_OPTIONS: `--require ${project.path("elsewhere.cjs")}` };
    const { code, stdout, stderr } = await inProject(["--return-memory", "allocator-elsewhere.cjs"], { env });
    expect({ code, stdout }).toEqual({ code: 0, stdout: "undefined\n" });
    expect(stderr).toMatch(/^vdnn: --return-memory has no effect: darwin has another allocator/m);
  });

  it("says that there is no such script", async () => {
    const { code, stderr } = await inProject(["nowhere.js"]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^vdnn: there is no script .*nowhere\.js; usage: vdnn run/);
  });
});
