/** `vdnn plan` through the command line: tables, documents, proofs, reasons, and what does not fit. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { main } from "../../src/cli.ts";
import { readGraph, writeGraph } from "../../src/graph/file.ts";
import type { Graph } from "../../src/graph/graph.ts";
import type { Why } from "../../src/plan/describe.ts";
import { asItIs, floorOf } from "../../src/plan/describe/peak.ts";
import type { Plan } from "../../src/plan/plan.ts";
import { policies } from "../../src/plan/policies/index.ts";
import { validate } from "../../src/plan/validate.ts";
import type { ChromeTrace } from "../../src/report/trace-events.ts";
import { smallGraph } from "../support/small-graphs.ts";
import { catchOutput } from "./stdio.ts";

const folder = mkdtempSync(join(tmpdir(), "vdnn-plan-"));
const small = join(folder, "small.json");
const zipped = join(folder, "small.json.gz");
/** Five layers, 10 kernels: small enough to certify. */
const graph: Graph = smallGraph({
  layers: [4, 3, 5, 2, 4].map((units, i) => ({
    units,
    forwardMs: 2 + (i % 2),
    backwardMs: 4,
    skip: 0,
    readsOutput: false,
    inPlace: false,
    workspaceUnits: 0,
    recomputable: true,
  })),
  share: 0,
  out: 1,
  in: 1,
  hostShare: null,
});
const leastBytes = floorOf(graph).bytes;
const allBytes = asItIs(graph).bytes;
const tight = String(Math.ceil((leastBytes + allBytes) / 2));
const TIGHT = ["plan", "--graph", small, "--device-memory", tight, "--link", "1GBps", "--moves", "50"];
const output = catchOutput();

beforeAll(async () => {
  await writeGraph(small, graph);
  await writeGraph(zipped, graph);
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

interface Document extends Plan {
  readonly fits: boolean;
  readonly budgets: {
    readonly deviceBytes: number | null;
    readonly hostBytes: number | null;
    readonly spillBytes: number;
  };
  readonly certificate?: { readonly optimalMs: number; readonly boundMs: number; readonly proven: boolean };
  readonly why?: Why;
}

function document(): Document {
  return JSON.parse(output.stdout) as Document;
}

describe("vdnn plan", () => {
  it("says what the budget costs and how far from optimal it is at most; times of planning are not among results", async () => {
    expect(await main(TIGHT)).toBe(0);
    expect(output.stdout).toMatch(/^auto: step \d\.\d{3} × oracle, (optimal|at most \d+\.\d % from optimal)$/m);
    expect(output.stdout).toMatch(/^auto +yes +\d/m);
    expect(output.stdout).not.toContain("planned in");
    expect(output.stderr).toMatch(/^vdnn: auto planned in [\d.]+ m?s; valid \(checked in [\d.]+ m?s\)\n$/);
  });

  it("prints a plan that is valid on the machine that it names, the same each time", async () => {
    expect(await main([...TIGHT, "--json"])).toBe(0);
    const first = output.stdout;
    const { schema, steps, predicted, graph: name, policy, machine, fits } = document();
    expect({ schema, name, policy, machine, fits }).toEqual({
      schema: "vdnn-plan/1",
      name: "small",
      policy: "auto",
      machine: "given by flags",
      fits: true,
    });
    const budget = {
      name: "",
      deviceBytes: Number(tight),
      hostBytes: Number.POSITIVE_INFINITY,
      offloadGBps: 1,
      prefetchGBps: 1,
    };
    const checked = validate(graph, steps, budget);
    expect(checked.stepMs).toBeCloseTo(predicted.stepMs, 9);
    expect(checked.peakDeviceBytes).toBe(predicted.peakDeviceBytes);
    expect(predicted.lowerBoundMs).toBeLessThanOrEqual(predicted.stepMs);
    output.stdout = "";
    await main([...TIGHT, "--json"]);
    expect(output.stdout).toBe(first);
  });

  it("reads gzipped graphs, and plans without a budget where none is given", async () => {
    expect(await main(["plan", "--graph", zipped, "--json"])).toBe(0);
    const { budgets, predicted } = document();
    expect(budgets).toMatchObject({ deviceBytes: null, hostBytes: null, spillBytes: 0 });
    expect(predicted).toMatchObject({ peakDeviceBytes: allBytes, stallMs: 0, recomputeMs: 0, offloadBytes: 0 });
  });

  it("compares policies in one table", async () => {
    expect(await main([...TIGHT, "--policy", "all"])).toBe(0);
    for (const { name } of policies) expect(output.stdout).toMatch(new RegExp(`^${name}.* (yes|NO) `, "m"));
    output.stdout = "";
    expect(await main([...TIGHT, "--policy", "auto", "--policy", "vdnn-dyn", "--json"])).toBe(0);
    const { schema, plans } = JSON.parse(output.stdout) as { schema: string; plans: Document[] };
    expect(schema).toBe("vdnn-plans/1");
    expect(plans.map(({ policy }) => policy.split(":")[0])).toEqual(["auto", "vdnn-dyn"]);
  });

  it("plans a built-in network on a GPU, by default in its memory and over its link", async () => {
    const flags = ["plan", "--network", "alexnet", "--batch", "8", "--gpu", "v100", "--json"];
    expect(await main(flags)).toBe(0);
    expect(document()).toMatchObject({ graph: "alexnet, batch 8", fits: true, predicted: { stallMs: 0 } });
    expect(document().machine).toContain("V100");
    expect(document().budgets.deviceBytes).toBeGreaterThan(2 ** 33);
  });

  it("takes links of two speeds, and a spill tier with and without a size", async () => {
    const flags = ["--link-out", "pcie3", "--link-in", "20GB/s", "--host-memory", "4MB", "--spill"];
    expect(await main([...TIGHT, ...flags, "2/3GBps:1GB", "--json"])).toBe(0);
    expect(document().budgets).toMatchObject({
      hostBytes: 4e6,
      offloadGBps: 12.8,
      prefetchGBps: 20,
      spillBytes: 1e9,
      spillWriteGBps: 2,
      spillReadGBps: 3,
    });
    output.stdout = "";
    expect(await main([...TIGHT, "--spill", "3.2GBps", "--json"])).toBe(0);
    expect(document().budgets).toMatchObject({ spillBytes: null, spillWriteGBps: 3.2 });
  });

  it("moves nothing over a link of 0, and runs nothing again when told so", async () => {
    expect(await main([...TIGHT, "--link", "0", "--json"])).toBe(0);
    expect(new Set(document().steps.map(({ kind }) => kind))).toEqual(new Set(["compute", "recompute", "free"]));
    output.stdout = "";
    expect(await main([...TIGHT, "--no-recompute", "--json"])).toBe(0);
    expect(document().steps.map(({ kind }) => kind)).not.toContain("recompute");
  });

  it("proves the optimum of a small graph", async () => {
    expect(await main([...TIGHT, "--no-recompute", "--certify", "--json"])).toBe(0);
    const { certificate, predicted } = document();
    expect(certificate?.optimalMs).toBeLessThanOrEqual(predicted.stepMs + 1e-9);
    expect(certificate?.boundMs).toBeGreaterThanOrEqual(predicted.lowerBoundMs - 1e-9);
    output.stdout = "";
    expect(await main([...TIGHT, "--no-recompute", "--certify"])).toBe(0);
    expect(output.stdout).toMatch(/certified: the (optimum|best known) is [\d.]+ ms/);
  });

  it("will not try to prove a large one", async () => {
    expect(await main(["plan", "--network", "alexnet", "--batch", "8", "--certify"])).toBe(2);
    expect(output.stdout).toBe("");
    expect(output.stderr).toMatch(/certify: the graph has \d+ kernels, and optima are proven up to 16/);
  });

  it("says why, in words and as data", async () => {
    expect(await main([...TIGHT, "--why"])).toBe(0);
    for (const text of ["Peak of the iteration as it is:", "Hungriest kernel:", "Stalls:", "smallest, copies alone"]) {
      expect(output.stdout).toContain(text);
    }
    expect(output.stdout.indexOf("What would help:")).toBeLessThan(output.stdout.indexOf("What would not:"));
    output.stdout = "";
    expect(await main([...TIGHT, "--why", "--json"])).toBe(0);
    expect(document().why).toMatchObject({ peak: { bytes: allBytes }, floor: { bytes: leastBytes } });
  });

  it("writes the plan's time line", async () => {
    const path = join(folder, "trace.json");
    expect(await main([...TIGHT, "--no-recompute", "--trace", path])).toBe(0);
    const { traceEvents } = JSON.parse(readFileSync(path, "utf8")) as ChromeTrace;
    const lanes = new Set(traceEvents.flatMap(({ ph, cat }) => (ph === "X" ? [cat] : [])));
    for (const lane of ["compute", "offload", "prefetch"]) expect(lanes).toContain(lane);
    const device = traceEvents.flatMap(({ ph, name, args }) =>
      ph === "C" && name === "device bytes" ? [Number(args["bytes"])] : [],
    );
    expect(Math.max(...device)).toBeLessThanOrEqual(Number(tight));
    expect(Math.max(...device)).toBeGreaterThan(leastBytes / 2);
  });

  it("exits with 3 when nothing fits, and names a budget that works", async () => {
    const flags = ["plan", "--graph", small, "--link", "1", "--device-memory"];
    expect(await main([...flags, String(leastBytes - 1), "--json"])).toBe(3);
    const { error } = JSON.parse(output.stdout) as {
      error: { code: string; details: { smallestFeasibleBytes: number } };
    };
    expect(error.code).toBe("ERR_OUT_OF_MEMORY");
    expect(output.stderr).toContain(`raise --device-memory to ${error.details.smallestFeasibleBytes}`);
    output.stdout = "";
    expect(await main([...flags, String(error.details.smallestFeasibleBytes), "--json"])).toBe(0);
    expect(document().fits).toBe(true);
  });

  it("exits with 3 when no policy of several fits, and still prints what they would need", async () => {
    const flags = [
      "plan",
      "--graph",
      small,
      "--device-memory",
      "1MB",
      "--policy",
      "liveness",
      "--policy",
      "checkpoint",
    ];
    expect(await main(flags)).toBe(3);
    expect(output.stdout).toMatch(/^liveness +NO +- /m);
  });

  it("reads what simulate records", async () => {
    const path = join(folder, "recorded.json");
    await main(["simulate", "--network", "alexnet", "--batch", "8", "--policy", "liveness", "--record", path]);
    output.stdout = "";
    expect(await main(["plan", "--graph", path, "--device-memory", "2GiB", "--json"])).toBe(0);
    expect(document().graph).toBe((await readGraph(path)).name);
  });

  it.each([
    [[], "expected either --graph FILE or --network NAME, got neither"],
    [["--graph", small, "--network", "vgg-16"], "expected either --graph FILE or --network NAME, got both"],
    [["--graph", small, "--batch", "4"], "--batch: is for --network alone"],
    [["--graph", small, "--sequence-length", "4"], "--sequence-length: is for --network alone"],
    [["--network", "vggg-16"], 'unknown network "vggg-16"; did you mean vgg-16'],
    [["--network", "vgg-16", "--gpu", "titan-y"], 'unknown gpu "titan-y"; did you mean titan-x'],
    [["--graph", small, "--policy", "atuo"], 'unknown policy "atuo"; did you mean auto'],
    [["--graph", small, "--device-memory", "0"], "Expected a size such as 512MiB"],
    [["--graph", small, "--device-memory", "-5GiB"], "Expected a size such as 512MiB"],
    [["--graph", small, "--host-memory", "lots"], "Expected a size such as 512MiB"],
    [["--graph", small, "--link", "-1"], "Expected a rate in GB/s, 0 or more"],
    [["--graph", small, "--link", "pcie9"], 'unknown link "pcie9"; did you mean pcie3'],
    [["--graph", small, "--spill", "fast"], "Expected a rate in GB/s and perhaps a size"],
    [["--graph", small, "--spill", "0"], "Expected a rate in GB/s and perhaps a size"],
    [["--graph", small, "--spill", "3:-4GB"], "Expected a size such as 512MiB"],
    [["--graph", small, "--moves", "-1"], "Expected a whole number, 0 or more"],
    [["--graph", small, "--policy", "all", "--why"], "--why: is of one plan; name one --policy"],
    [["--graph", small, "--trace", "/nowhere/trace.json"], "--trace: there is no directory /nowhere"],
  ])("calls %j a usage error", async (flags, message) => {
    expect(await main(["plan", ...flags])).toBe(2);
    expect(output.stdout).toBe("");
    expect(output.stderr).toContain(message);
  });

  it("says of a file that is no graph where it is wrong", async () => {
    expect(await main(["plan", "--graph", join(folder, "absent.json")])).toBe(1);
    expect(output.stderr).toContain("cannot be read");
  });
});
