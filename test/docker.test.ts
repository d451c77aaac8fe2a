/**
 * The container files, as far as they can be checked without an engine: everything pinned, nobody root at the end, and nothing
 * named that is not there. docker/README.md says what was built and run.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = resolve(import.meta.dirname, "..");
const FILES = ["Dockerfile", "Dockerfile.gpu"] as const;

const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

interface Instruction {
  readonly name: string;
  readonly text: string;
}

interface Stage {
  readonly name: string;
  readonly base: string;
  readonly instructions: readonly Instruction[];
}

function instructionsOf(file: string): Instruction[] {
  const lines = read(`docker/${file}`)
    .split("\n")
    .filter((line) => !line.startsWith("#"));
  return lines
    .join("\n")
    .replaceAll(/\\\n/g, " ")
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [name = "", ...rest] = line.trim().split(/\s+/);
      return { name, text: rest.join(" ") };
    });
}

function stagesOf(file: string): Stage[] {
  const stages: { name: string; base: string; instructions: Instruction[] }[] = [];
  for (const instruction of instructionsOf(file)) {
    const from = /^(\S+) AS (\S+)$/.exec(instruction.text);
    if (instruction.name === "FROM") stages.push({ base: from?.[1] ?? "", name: from?.[2] ?? "", instructions: [] });
    else stages.at(-1)?.instructions.push(instruction);
  }
  return stages;
}

/** The stage and those that it is built on. */
function lineage(stages: readonly Stage[], name: string): Stage[] {
  const stage = stages.find((each) => each.name === name);
  return stage === undefined ? [] : [stage, ...lineage(stages, stage.base)];
}

/** Stages that run something for a user: those with a command. */
function targetsOf(stages: readonly Stage[]): Stage[] {
  return stages.filter(({ name }) =>
    lineage(stages, name).some(({ instructions }) => instructions.some(({ name: each }) => each === "ENTRYPOINT")),
  );
}

/** Names that may enter the build, as .dockerignore lists them. */
function isInContext(path: string): boolean {
  let enters = true;
  for (const line of read(".dockerignore").split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const pattern = line.replace(/^!/, "");
    const head = pattern.replace(/\/\*$/, "");
    const fits = pattern === "*" || path === head || path.startsWith(`${head}/`);
    if (fits && !(pattern.endsWith("/*") && path === head)) enters = line.startsWith("!");
  }
  return enters;
}

describe.each(FILES)("docker/%s", (file) => {
  const stages = stagesOf(file);

  it("starts every stage from a base with an exact version, or from a stage above", () => {
    expect(stages.length).toBeGreaterThan(3);
    for (const [i, { base, name }] of stages.entries()) {
      expect(name).toMatch(/^[a-z][a-z-]*$/);
      const isStage = stages.slice(0, i).some((each) => each.name === base);
      if (!isStage) expect(base).toMatch(/^[a-z/]+:\d+\.\d+(\.\d+)?(-[a-z0-9.-]+)?(@sha256:[0-9a-f]{64})?$/);
    }
  });

  it("uses one version of Node.js, which vdnn supports", () => {
    const bases = new Set(stages.flatMap(({ base }) => (base.startsWith("node:") ? [base] : [])));
    expect([...bases]).toEqual(["node:20.20.2-bookworm-slim"]);
  });

  it("runs nothing as root", () => {
    const targets = targetsOf(stages);
    expect(targets.length).toBeGreaterThanOrEqual(3);
    for (const { name } of targets) {
      const users = lineage(stages, name)
        .toReversed()
        .flatMap(({ instructions }) => instructions.filter((each) => each.name === "USER"));
      expect(users.at(-1)?.text, name).toMatch(/^(node|vdnn)$/);
    }
  });

  it("copies only what is there: files of the context, and paths of stages above", () => {
    for (const [i, { name, instructions }] of stages.entries()) {
      for (const { text } of instructions.filter((each) => each.name === "COPY")) {
        const from = /^--from=(\S+) /.exec(text)?.[1];
        if (from !== undefined) {
          expect(
            stages.slice(0, i).map((stage) => stage.name),
            `${name}: COPY ${text}`,
          ).toContain(from);
          continue;
        }
        for (const source of text.split(" ").slice(0, -1)) {
          expect(existsSync(join(ROOT, source)), source).toBe(true);
          expect(isInContext(source), `${source} in .dockerignore`).toBe(true);
        }
      }
    }
  });

  it("installs exact versions: npm ci from the lock file, wheels and pip packages with ==", () => {
    const runs = stages.flatMap(({ instructions }) => instructions.filter(({ name }) => name === "RUN"));
    for (const { text } of runs) {
      expect(text).not.toMatch(/npm (install|i) |curl|wget|ADD https?:/);
      for (const [, wheel = ""] of text.matchAll(/--wheel '?(\S+?)'?(?= |$)/g)) expect(wheel).toMatch(/==\d/);
      if (text.includes("pip install")) {
        for (const word of text.split(" ")) if (/^(torch|numpy|tensorflow)/.test(word)) expect(word).toMatch(/==\d/);
      }
      if (text.includes("apt-get install")) {
        expect(text).toContain("--no-install-recommends");
        expect(text).toContain("rm -rf /var/lib/apt/lists/*");
      }
    }
  });

  it("leaves compilers and development packages behind", () => {
    for (const { name } of targetsOf(stages)) {
      const runs = lineage(stages, name).flatMap(({ instructions }) => instructions);
      for (const { text } of runs) expect(text, name).not.toMatch(/\bg\+\+|\bmake\b|npm ci/);
    }
  });
});

describe(".dockerignore", () => {
  it("lets in what is listed and nothing else", () => {
    for (const path of ["src/main.ts", "package.json", "benchmarks/memory.ts", "test/support/graphs.ts"]) {
      expect(isInContext(path), path).toBe(true);
    }
    for (const path of [
      ".git/config",
      "node_modules/x",
      ".native/x",
      "dist/main.js",
      "benchmarks/results/memory.json",
      "test/docker.test.ts",
      ".env",
    ]) {
      expect(isInContext(path), path).toBe(false);
    }
  });
});

/** As much of YAML as compose.yaml uses: services are the keys below `services:`, their keys one level deeper. */
function servicesOf(text: string): Map<string, string> {
  const services = new Map<string, string>();
  let current = "";
  for (const line of text.slice(text.indexOf("\nservices:\n") + 11).split("\n")) {
    const name = /^ {2}([a-z0-9-]+):$/.exec(line)?.[1];
    if (name !== undefined) current = name;
    else if (current !== "") services.set(current, `${services.get(current) ?? ""}${line}\n`);
  }
  return services;
}

describe("docker/compose.yaml", () => {
  const text = read("docker/compose.yaml");
  const services = servicesOf(text);
  const benchmarkOf = (service: string): string =>
    /command: \[(benchmarks\/[a-z0-9-]+\.ts),/.exec(service)?.[1] ?? "none";

  it("has services whose benchmarks exist, each with its result", () => {
    expect(services.size).toBeGreaterThan(8);
    for (const [name, service] of services) {
      expect(benchmarkOf(service)).toBe(`benchmarks/${name}.ts`);
      expect(existsSync(join(ROOT, benchmarkOf(service))), name).toBe(true);
      expect(service).toContain(`--json, /results/${name}.json]`);
      expect(service).toContain("<<: *bench");
    }
  });

  it("has a service for every benchmark: a program in benchmarks/ that reads options", () => {
    const programs = readdirSync(join(ROOT, "benchmarks")).filter(
      (file) =>
        file.endsWith(".ts") &&
        /^const \w+ = (await )?readOptions\(|readOptions\(QUESTION/m.test(read(`benchmarks/${file}`)),
    );
    expect(programs.length).toBeGreaterThan(8);
    for (const file of programs)
      expect([...services.keys()], `docker/compose.yaml: ${file}`).toContain(file.slice(0, -3));
  });

  it("builds stages that are there, and runs them without network, privileges or a writable image", () => {
    const targets = new Set(targetsOf(stagesOf("Dockerfile")).map(({ name }) => name));
    for (const [, target = ""] of text.matchAll(/target: (\S+)/g)) expect(targets).toContain(target);
    for (const line of ["network_mode: none", "read_only: true", "cap_drop: [ALL]", "no-new-privileges:true"]) {
      expect(text).toContain(line);
    }
  });
});
