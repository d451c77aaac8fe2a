/** `vdnn simulate` through the command line: the table, the JSON document, files, and bad input. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { main } from "../../src/cli.ts";
import { checkGraph } from "../../src/graph/check.ts";
import type { ChromeTrace } from "../../src/report/trace-events.ts";
import type { SimulatedRun } from "../../src/simulator/row.ts";
import { catchOutput } from "./stdio.ts";

const SMALL = ["--network", "alexnet", "--batch", "8"];
const folder = mkdtempSync(join(tmpdir(), "vdnn-simulate-"));
const output = catchOutput();

afterAll(() => {
  rmSync(folder, { recursive: true });
});

interface Document {
  readonly schema: string;
  readonly source: string;
  readonly oracleMs: number;
  readonly networkWide: { readonly totalBytes: number };
  readonly runs: readonly SimulatedRun[];
}

describe("vdnn simulate", () => {
  it("prints one row per policy, and below it what is modelled", async () => {
    expect(await main(["simulate", "--gpu", "titan-x", ...SMALL])).toBe(0);
    expect(output.stderr).toBe("");
    for (const policy of ["network-wide", "liveness", "vdnn-all", "vdnn-conv", "vdnn-dyn", "checkpoint", "auto"]) {
      expect(output.stdout).toMatch(new RegExp(`^${policy} .* (yes|NO) `, "m"));
    }
    expect(output.stdout).toContain("Everything is simulated; nothing ran.");
    expect(output.stdout).toContain("fitted to");
  });

  it("prints one JSON document", async () => {
    expect(await main(["simulate", "--gpu", "Titan X", ...SMALL, "--policy", "vdnn-all", "--json"])).toBe(0);
    const document = JSON.parse(output.stdout) as Document;
    expect(document).toMatchObject({ schema: "vdnn-simulate/1", source: "simulated", network: "alexnet", batch: 8 });
    expect(document.runs.map(({ policy, algorithm }) => [policy, algorithm])).toEqual([
      ["vdnn-all", "m"],
      ["vdnn-all", "p"],
    ]);
    for (const { stepMs, ratio, loss } of document.runs) {
      expect(ratio).toBeCloseTo(stepMs / document.oracleMs, 12);
      expect(loss).toBeCloseTo(1 - 1 / ratio, 12);
    }
  });

  it("takes the machine's numbers from flags", async () => {
    const flags = ["--device-memory", "1GiB", "--host-memory", "2GiB", "--link", "20", "--flops", "10T", "--json"];
    await main(["simulate", ...SMALL, "--policy", "liveness", ...flags]);
    expect(JSON.parse(output.stdout)).toMatchObject({
      machine: { deviceBytes: 2 ** 30, hostBytes: 2 ** 31, link: { GBps: 20 }, flopsPerSecond: 1e13 },
    });
  });

  it("writes a time line and the iteration of one policy", async () => {
    const [trace, graph] = [join(folder, "trace.json"), join(folder, "graph.json")];
    expect(await main(["simulate", ...SMALL, "--policy", "vdnn-all", "--trace", trace, "--record", graph])).toBe(0);
    const { traceEvents } = JSON.parse(readFileSync(trace, "utf8")) as ChromeTrace;
    const lanes = new Set(traceEvents.flatMap(({ ph, cat }) => (ph === "X" ? [cat] : [])));
    expect(lanes).toEqual(new Set(["compute", "offload", "prefetch", "stall"]));
    for (const { dur } of traceEvents) if (dur !== undefined) expect(dur).toBeGreaterThan(0);
    expect(() => checkGraph(JSON.parse(readFileSync(graph, "utf8")), graph)).not.toThrow();
  });

  it("exits with 3 when the policy that was asked for does not fit, and says by how much", async () => {
    const flags = ["--policy", "liveness", "--device-memory", "100MiB"];
    expect(await main(["simulate", ...SMALL, ...flags])).toBe(3);
    expect(output.stderr).toMatch(/^vdnn: liveness needs \d+ MiB of device memory, but the budget is 100 MiB/);
  });

  it.each([
    [["--gpu", "titan-y"], 'unknown gpu "titan-y"; did you mean titan-x'],
    [["--network", "vggg-16"], 'unknown network "vggg-16"; did you mean vgg-16'],
    [["--network", "vgg-17"], "vgg: expected depth to be 16, 116"],
    [["--network", "vgg-16", "--depth", "116"], "depth: vgg-16 has 16 layers, but depth is 116"],
    [["--policy", "vdnn-al"], 'unknown policy "vdnn-al"; did you mean vdnn-all'],
    [["--device-memory", "0"], "Expected a size such as 512MiB"],
    [["--host-memory", "0"], "Expected a size such as 512MiB"],
    [["--link", "0"], "Expected a positive number"],
    [["--link", "pcie9"], 'unknown link "pcie9"; did you mean pcie3'],
    [["--flops", "fast"], "Expected a rate such as 19.5T"],
    [["--batch", "0"], "Expected a whole number, 1 or more"],
    [["--trace", "trace.json"], "--trace: needs --policy"],
    [["--policy", "auto", "--trace", "/nowhere/trace.json"], "--trace: there is no directory /nowhere"],
  ])("calls %j a usage error", async (flags, message) => {
    expect(await main(["simulate", ...flags])).toBe(2);
    expect(output.stdout).toBe("");
    expect(output.stderr).toContain(message);
  });
});
