/** The README's generated tables: filled in from results, and found stale by the program when they are not. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Environment } from "../../benchmarks/harness.ts";
import type { OverheadResult } from "../../benchmarks/overhead.ts";
import type { RssResult } from "../../benchmarks/rss.ts";
import { type BenchDocument, fillTables } from "../../benchmarks/tables.ts";

const environment: Environment = {
  date: "2026-01-02T03:04:05.000Z",
  commit: "0123456789abcdef",
  node: "v20.19.0",
  platform: "Linux 6.1 x64",
  cpu: "Example CPU",
  cores: 2,
  memoryBytes: 24 * 2 ** 30,
  runtime: { backend: "wasm", packageName: "example", packageVersion: "4.22.0", tensorflowVersion: null },
  vdnn: "0.1.0",
  loadAverageStart: [0.5, 0.4, 0.3],
  loadAverageEnd: [1.25, 0.4, 0.3],
  variables: {},
};

const summary = (median: number) => ({ median, min: median, max: median, spread: 0, samples: [median] });

const overhead: OverheadResult = {
  schema: "vdnn-bench-overhead/1",
  question: "?",
  environment,
  rounds: 1,
  ops: 10,
  chain: 5,
  repeats: 1,
  kernels: 12,
  rows: [
    { mode: "stock", outside: summary(10), recorded: null, planning: null, planned: summary(10) },
    { mode: "a|b", outside: summary(11), recorded: summary(20), planning: summary(5), planned: summary(12.5) },
  ],
};

const rss: RssResult = {
  schema: "vdnn-bench-rss/1",
  question: "?",
  environment,
  workload: { network: "chain", options: { depth: 5, imageSize: 8 }, batch: 2 },
  steps: 3,
  device: "1MiB",
  host: "1MiB",
  rows: [
    {
      mode: "vdnn-all",
      allocator: "returning",
      session: { policy: "vdnn-all" },
      outcome: {
        ok: true,
        value: {
          runtime: { backend: "wasm", packageName: "example", packageVersion: "4.22.0", tensorflowVersion: null },
          losses: [3, 2, 1],
          weightsSha256: "00",
          stepMs: [9000, 1000, 2000],
          beforeTrainingRssBytes: 100 * 2 ** 20,
          peakRssBytes: 200 * 2 ** 20,
          report: null,
        },
      },
      identical: true,
    },
    { mode: "stock", allocator: "default", session: null, outcome: { ok: false, reason: "SIGKILL" }, identical: false },
  ],
};

const README = "# Title\n\n<!-- bench:overhead --><!-- /bench -->\n\nThe end.\n";
const documents = new Map([["overhead", overhead]]);

describe("fillTables", () => {
  it("puts a result's table, caption and environment between the markers and leaves the rest alone", () => {
    const text = fillTables(README, documents);
    expect(text).toMatch(/^# Title\n\n<!-- bench:overhead -->\n\n.*measured.*\n\n\| mode/);
    expect(text).toMatch(/\| a\\\|b +\| +11\.00 \| +20\.00 \| +5\.00 \| +12\.50 \| +2\.50 \|/);
    expect(text).toContain(
      "Example CPU, 2 cores, 24 GiB, Node.js v20.19.0, example 4.22.0; 2026-01-02, commit 01234567",
    );
    expect(text).toMatch(/load average 0\.5 to 1\.3\.\n\n<!-- \/bench -->\n\nThe end\.\n$/);
  });

  it("gives the same text when the tables are there already", () => {
    const once = fillTables(README, documents);
    expect(fillTables(once, documents)).toBe(once);
  });

  it("shows resident sets by allocator, and what the returning one costs", () => {
    const text = fillTables("<!-- bench:rss --><!-- /bench -->", new Map([["rss", rss]]));
    expect(text).toContain("returning is `MALLOC_MMAP_THRESHOLD_=1048576` (vdnn run --return-memory)");
    expect(text).toMatch(/\| vdnn-all \| +returning \| +100 MiB \| +200 MiB \| +\| +1\.5 \| +yes \|/);
    expect(text).toMatch(/\| stock +\| +default \| TensorFlow crashes \| +\| +\| +\| +\|/);
  });

  it("sums each result up in a line, and leaves out those that are not there", () => {
    const text = fillTables(
      "<!-- bench:glance --><!-- /bench -->",
      new Map<string, BenchDocument>([
        ["rss", rss],
        ["overhead", overhead],
      ]),
    );
    expect(text).toMatch(/\| Resident set of the process, chain-5.* \| +measured \| +failed \| +stock: failed \|/);
    expect(text.match(/^\|.*measured/gm)).toHaveLength(1);
  });

  it("names the results there are when one is missing", () => {
    expect(() => fillTables("<!-- bench:speed --><!-- /bench -->", documents)).toThrow(
      /no result speed\.json.*overhead/,
    );
  });

  it("does not run over the end of a block that was not closed", () => {
    expect(() => fillTables("<!-- bench:overhead --> text", documents)).toThrow(/<!-- \/bench -->/);
  });
});

describe("tables.ts as a program", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "vdnn-tables-"));
  const readme = path.join(folder, "README.md");
  const results = path.join(folder, "results");
  afterAll(() => rmSync(folder, { recursive: true }));

  function run(...flags: string[]): Promise<{ readonly code: number; readonly stderr: string }> {
    const root = path.dirname(path.dirname(import.meta.dirname));
    const args = ["--import", "tsx", "benchmarks/tables.ts", readme, "--results", results, ...flags];
    return new Promise((resolve) => {
      execFile(process.execPath, args, { cwd: root }, (error, _stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code), stderr });
      });
    });
  }

  it("fails with --check while the tables are stale and passes once they are written", async () => {
    mkdirSync(results);
    writeFileSync(path.join(results, "overhead.json"), JSON.stringify(overhead));
    writeFileSync(readme, README);
    const stale = await run("--check");
    expect(stale).toMatchObject({ code: 1, stderr: expect.stringContaining("stale") as string });
    expect(readFileSync(readme, "utf8")).toBe(README);
    expect(await run()).toMatchObject({ code: 0 });
    expect(readFileSync(readme, "utf8")).toContain("| mode");
    expect(await run("--check")).toMatchObject({ code: 0 });
  });

  it("takes an unknown flag for a usage error", async () => {
    expect(await run("--chekc")).toMatchObject({ code: 2 });
  });
});
