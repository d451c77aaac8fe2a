/** `vdnn compare`: plans for a graph file and a simulated network, measured rounds on fake runs, and bad input. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { main } from "../../src/cli.ts";
import { parseBudgets, resolveBudgets } from "../../src/commands/budgets.ts";
import { measure, type MeasuredOptions } from "../../src/commands/compare-measured.ts";
import type { Comparison, CompareRow } from "../../src/commands/comparison.ts";
import type { TrialEnd, TrialSpec } from "../../src/commands/trial-process.ts";
import { writeGraph } from "../../src/graph/file.ts";
import type { Graph } from "../../src/graph/graph.ts";
import { ENERGY_TABLES, type EnergyTable } from "../../src/simulator/energy-data.ts";
import { catchOutput } from "./stdio.ts";

const output = catchOutput();
const folder = mkdtempSync(join(tmpdir(), "vdnn-compare-"));

afterAll(() => {
  rmSync(folder, { recursive: true });
});

const MIB = 2 ** 20;
const DEPTH = 8;

/** A chain of layers that each keep 8 MiB for their backward pass; at 1 GB/s a copy takes 8.4 ms, a kernel 5. */
function chainGraph(): Graph {
  const tensors: Graph["tensors"][number][] = [{ bytes: MIB, role: "input" }];
  const kernels: Graph["kernels"][number][] = [];
  const maps = [0];
  for (let i = 1; i <= DEPTH; i++) {
    tensors.push({ bytes: 8 * MIB, role: "activation" });
    maps.push(tensors.length - 1);
    kernels.push({
      name: "Conv2D",
      layer: `conv${i}`,
      pass: "forward",
      ms: 5,
      inputs: [maps[i - 1] as number],
      outputs: [maps[i] as number],
    });
  }
  let gradient = -1;
  for (let i = DEPTH; i >= 1; i--) {
    tensors.push({ bytes: 8 * MIB, role: "gradient" });
    const inputs = [maps[i] as number, maps[i - 1] as number, ...(gradient < 0 ? [] : [gradient])];
    gradient = tensors.length - 1;
    kernels.push({ name: "Grad", layer: `conv${i}`, pass: "backward", ms: 5, inputs, outputs: [gradient] });
  }
  return { schema: "vdnn-graph/1", name: "chain of eight", tensors, kernels };
}

const GRAPH = join(folder, "chain.json");
await writeGraph(GRAPH, chainGraph());

type Document = Comparison & { readonly schema: string };

function rowOf(document: Document, policy: string, budget: number): CompareRow | undefined {
  return document.rows.find(
    (row) => row.policy === policy && row.budgetBytes === document.budgets[budget]?.deviceBytes,
  );
}

describe("vdnn compare --graph", () => {
  it("prints one JSON document, in which no plan is faster than the bound and all that fits keeps its budget", async () => {
    const flags = ["--graph", GRAPH, "--link", "1", "--budgets", "25%,50%,100%,400%", "--json"];
    expect(await main(["compare", ...flags])).toBe(0);
    expect(output.stderr).toBe("");
    const document = JSON.parse(output.stdout) as Document;
    expect(document).toMatchObject({
      schema: "vdnn-compare/1",
      source: "simulated",
      oracleMs: 80,
      reference: "liveness",
    });
    const liveness = document.baselines.find(({ name }) => name === "liveness")?.peakDeviceBytes ?? 0;
    expect(document.budgets.map(({ deviceBytes }) => deviceBytes)).toEqual([0.25, 0.5, 1, 4].map((x) => liveness * x));
    for (const row of document.rows) {
      if (row.outcome !== "trains") continue;
      const bound = document.budgets.find(({ deviceBytes }) => deviceBytes === row.budgetBytes)?.lowerBoundMs ?? 0;
      expect(row.stepMs).toBeGreaterThanOrEqual(bound * (1 - 1e-9));
      expect(row.peakDeviceBytes).toBeLessThanOrEqual(row.budgetBytes);
      expect(row.ratio).toBeCloseTo((row.stepMs ?? 0) / document.oracleMs, 12);
    }
    expect(rowOf(document, "liveness", 1)).toMatchObject({ outcome: "too-large", stepMs: null });
    expect(rowOf(document, "stock", 3)).toMatchObject({ outcome: "trains", stepMs: 80, copyPj: 0, overlap: null });
  });

  it("counts bytes, overlap and energy of what vdnn-all moves", async () => {
    await main(["compare", "--graph", GRAPH, "--link", "1", "--budgets", "100%", "--policy", "vdnn-all", "--json"]);
    const row = (JSON.parse(output.stdout) as Document).rows[0];
    // The last two layers' maps are needed again at once; the input is a map as well.
    const moved = (DEPTH - 2) * 8 * MIB + MIB;
    expect(row).toMatchObject({ offloadBytes: moved, prefetchBytes: moved, recomputeMs: 0 });
    expect(row?.copyPj).toBeCloseTo((2 * moved * (640 + 640)) / 4, 0);
    expect(row?.overlap).toBeGreaterThan(0);
    expect(row?.overlap).toBeLessThan(1);
  });

  it("takes another table of energies from a file", async () => {
    const table: EnergyTable = {
      ...(ENERGY_TABLES[0] as EnergyTable),
      name: "mine",
      devicePj: 1,
      hostPj: 2,
      linkPj: 3,
    };
    const file = join(folder, "energy.json");
    writeFileSync(file, JSON.stringify(table));
    const flags = ["--graph", GRAPH, "--link", "1", "--budgets", "100%", "--policy", "vdnn-all", "--energy", file];
    await main(["compare", ...flags, "--json"]);
    const { rows, energy } = JSON.parse(output.stdout) as Document;
    expect(energy).toEqual(table);
    expect(rows[0]?.copyPj).toBeCloseTo((2 * ((DEPTH - 2) * 8 + 1) * MIB * 6) / 4, 0);
    writeFileSync(file, JSON.stringify({ ...table, hostPj: -1 }));
    expect(await main(["compare", ...flags])).toBe(2);
    expect(output.stderr).toContain("hostPj: expected a number, 0 or more, got -1");
  });

  it("prints a table per budget and draws a chart", async () => {
    const svg = join(folder, "chart.svg");
    expect(await main(["compare", "--graph", GRAPH, "--link", "1", "--budgets", "50%,40MiB", "--svg", svg])).toBe(0);
    expect(output.stdout).toContain("budget 40 MiB, lower bound ");
    expect(output.stdout).toMatch(/^budget [\d.]+ MiB \(50% of liveness\), lower bound /m);
    expect(output.stdout).toMatch(/^liveness .*does not fit: needs [\d.]+ MiB, [\d.]+ MiB more$/m);
    expect(output.stdout).toMatch(/^auto +\d/m);
    const chart = readFileSync(svg, "utf8");
    expect(chart).toMatch(/^<svg xmlns/);
    for (const name of ["vdnn-all", "auto", "lower bound", "oracle", "liveness: fits none"])
      expect(chart).toContain(`>${name}<`);
    expect(chart).not.toMatch(/NaN|undefined/);
  });

  it("exits with 3 where nothing fits any budget", async () => {
    expect(await main(["compare", "--graph", GRAPH, "--budgets", "1KiB"])).toBe(3);
    expect(output.stdout).toContain("does not fit");
  });
});

describe("vdnn compare --network", () => {
  it("compares a built-in network on a simulated GPU, network-wide with the others", async () => {
    const flags = [
      "--network",
      "alexnet",
      "--batch",
      "8",
      "--budgets",
      "60%,200%",
      "--policy",
      "network-wide,vdnn-dyn,auto",
    ];
    expect(await main(["compare", ...flags, "--gpu", "titan-x", "--json"])).toBe(0);
    const document = JSON.parse(output.stdout) as Document;
    const each = ["network-wide", "vdnn-dyn", "auto"];
    expect(document.rows.map(({ policy }) => policy)).toEqual([...each, ...each]);
    expect(document.baselines.map(({ name }) => name)).toEqual(["stock", "network-wide", "liveness"]);
    expect(rowOf(document, "auto", 1)?.ratio).toBeCloseTo(1, 6);
    for (const { lowerBoundMs } of document.budgets) {
      if (lowerBoundMs !== null) expect(lowerBoundMs).toBeGreaterThanOrEqual(document.oracleMs * (1 - 1e-9));
    }
  });
});

describe("measure", () => {
  const energy = ENERGY_TABLES[0] as EnergyTable;
  const trained = (ms: number, peakDeviceBytes: number, bits = "same"): TrialEnd => ({
    kind: "trains",
    result: {
      stepMs: [10 * ms, 4 * ms, 2 * ms, ms, ms],
      peakDeviceBytes,
      steadyPeakDeviceBytes: peakDeviceBytes,
      peakHostBytes: 0,
      offloadBytes: 400,
      prefetchBytes: 400,
      copyMs: 1,
      stallMs: 0,
      recomputeMs: 0,
      chosen: "",
      losses: [1],
      weightsSha256: bits,
    },
  });
  const optionsFor = (run: (spec: TrialSpec) => TrialEnd, more: Partial<MeasuredOptions> = {}): MeasuredOptions => ({
    backend: "wasm",
    network: "chain",
    training: { networkOptions: {}, batchSize: 1, steps: 3, optimizer: "sgd", learningRate: 0.1, seed: 1 },
    hostBytes: undefined,
    policies: ["stock", "liveness", "vdnn-all", "auto"],
    asked: parseBudgets("50%,100%"),
    reference: "stock",
    rounds: 2,
    timeoutMs: 1000,
    energy,
    run: (spec) => Promise.resolve(run(spec)),
    ...more,
  });

  it("runs everything once per round, baselines first, budgets from their peaks", async () => {
    const order: string[] = [];
    const { rows, oracleMs, budgets } = await measure(
      optionsFor(({ session }) => {
        order.push(`${session.policy} ${session.deviceMemory ?? "free"}`);
        const isStock = session.policy === "none";
        return trained(isStock ? 100 : session.policy === "liveness" ? 80 : 120, isStock ? 1000 : 400);
      }),
    );
    const round = ["none free", "liveness free", "vdnn-all 500", "auto 500", "vdnn-all 1000", "auto 1000"];
    expect(order).toEqual([...round, ...round]);
    expect(budgets.map(({ deviceBytes }) => deviceBytes)).toEqual([500, 1000]);
    expect(oracleMs).toBe(80);
    expect(rows.map(({ policy, outcome, ratio }) => [policy, outcome, ratio])).toEqual([
      ["stock", "too-large", null],
      ["liveness", "trains", 1],
      ["vdnn-all", "trains", 1.5],
      ["auto", "trains", 1.5],
      ["stock", "trains", 1.25],
      ["liveness", "trains", 1],
      ["vdnn-all", "trains", 1.5],
      ["auto", "trains", 1.5],
    ]);
    expect(rows[2]).toMatchObject({ samplesMs: [120, 120, 120, 120], identical: true, overlap: null });
    expect(rows[2]?.copyPj).toBe((800 / 4) * 1280);
  });

  it("tries no second time what failed, and tells a crash from what does not fit", async () => {
    let trials = 0;
    const { rows } = await measure(
      optionsFor(({ session }) => {
        if (session.policy === "vdnn-all") return { kind: "too-large", reason: "needs more" };
        if (session.policy !== "auto") return trained(100, 400);
        trials++;
        return { kind: "crash", reason: "ended by SIGSEGV" };
      }),
    );
    expect(trials).toBe(2);
    expect(rows.find(({ policy }) => policy === "vdnn-all")).toMatchObject({ outcome: "too-large" });
    expect(rows.find(({ policy }) => policy === "auto")).toMatchObject({
      outcome: "crash",
      reason: "ended by SIGSEGV",
    });
  });

  it("says so when a run has other bits than stock", async () => {
    const { rows } = await measure(
      optionsFor(({ session }) => trained(100, 400, session.policy === "auto" ? "other" : "same"), {
        asked: parseBudgets("100%"),
      }),
    );
    expect(rows.find(({ policy }) => policy === "auto")?.identical).toBe(false);
    expect(rows.find(({ policy }) => policy === "vdnn-all")?.identical).toBe(true);
  });

  it("tells each run of how many, and each of its steps", async () => {
    const told: string[] = [];
    await measure({
      ...optionsFor(() => trained(100, 400), { asked: parseBudgets("1KiB"), policies: ["auto"], rounds: 1 }),
      run(_, { onStep }) {
        onStep?.({ index: 0, loss: 1, wallMs: 2500 });
        return Promise.resolve(trained(100, 400));
      },
      onRun: (text) => told.push(text),
    });
    const [stock, liveness, auto] = ["stock", "liveness", "auto, 1 KiB"].map(
      (title, i) => `run ${i + 1} of 3 (round 1 of 1): ${title}`,
    );
    expect(told).toEqual([stock, liveness, auto].flatMap((title) => [title, `${title}: step 1 of 3  2.50 s`]));
  });

  it("has nothing to compare with when stock does not train", async () => {
    const { failure } = await measure(optionsFor(() => ({ kind: "too-large", reason: "OOM when allocating" })));
    expect(failure).toEqual({ policy: "stock", reason: "OOM when allocating" });
  });
});

describe("budgets", () => {
  it("are sizes or percentages, more than 100 too, in ascending order and each once", () => {
    const asked = parseBudgets("200%, 1KiB, 50%,1024");
    expect(resolveBudgets(asked, 1000)).toEqual([
      { text: "50%", deviceBytes: 500 },
      { text: "1KiB", deviceBytes: 1024 },
      { text: "200%", deviceBytes: 2000 },
    ]);
  });
});

describe("vdnn compare, called wrongly", () => {
  it.each([
    [["--gpu", "titan-y"], 'unknown gpu "titan-y"; did you mean titan-x'],
    [["--network", "vggg-16"], 'unknown network "vggg-16"; did you mean vgg-16'],
    [["--policy", "atuo"], 'unknown policy "atuo"; did you mean auto'],
    [["--energy", "horowitz"], 'unknown energy "horowitz"; did you mean horowitz-45nm'],
    [["--budgets", "0"], "budgets: expected a size such as 512MiB"],
    [["--budgets", "0%"], 'budgets: expected more than 0%, got "0%"'],
    [["--budgets", "50%,,"], "budgets: expected a size such as 512MiB"],
    [["--budgets", "-5%"], "budgets: expected a size such as 512MiB"],
    [["--of", "auto"], "Allowed choices are liveness, stock, network-wide"],
    [["--graph", "x.json", "--measured"], "--measured: a graph file is not run"],
    [["--graph", "x.json", "--image-size", "32"], "--image-size: the graph of --graph has its sizes"],
    [["--measured", "--gpu", "titan-x"], "--gpu: --measured runs on what is installed here"],
    [["--measured", "--of", "network-wide"], "--of: network-wide is counted, not run"],
    [["--svg", "/nowhere/chart.svg"], "--svg: there is no directory /nowhere"],
  ])("calls %j a usage error", async (flags, message) => {
    expect(await main(["compare", ...flags])).toBe(2);
    expect(output.stdout).toBe("");
    expect(output.stderr).toContain(message);
  });

  it("fails with the place in a file that is no graph", async () => {
    const file = join(folder, "broken.json");
    writeFileSync(file, '{"schema":"vdnn-graph/1","name":"x","tensors":[{"bytes":-1,"role":"input"}],"kernels":[]}');
    expect(await main(["compare", "--graph", file])).toBe(1);
    expect(output.stderr).toContain("tensors[0].bytes: expected a whole number of bytes");
    expect(output.stdout).toBe("");
  });
});
