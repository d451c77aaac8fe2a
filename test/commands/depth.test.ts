/** `vdnn depth` through the command line: simulated, with real runs on wasm, and bad input. */
import { beforeEach, describe, expect, it } from "vitest";
import { main } from "../../src/cli.ts";
import { sizesOf } from "../../src/commands/depth-sizes.ts";
import type { DepthRow } from "../../src/commands/depth-table.ts";
import { realTrials } from "../../src/commands/depth-trials.ts";
import { cappedAllocator, outcomeOf, type TrialEnd } from "../../src/commands/trial-process.ts";
import { networks } from "../../src/networks/index.ts";
import { withoutWeights } from "../../src/simulator/shape-only.ts";
import { catchOutput } from "./stdio.ts";

const output = catchOutput();

interface Document {
  readonly schema: string;
  readonly source: string;
  readonly searched: string;
  readonly rows: readonly DepthRow[];
}

function rowsOf(): Record<string, DepthRow> {
  const { rows } = JSON.parse(output.stdout) as Document;
  return Object.fromEntries(rows.map((row) => [row.policy, row]));
}

const SMALL = ["--network", "chain", "--width", "8", "--image-size", "16", "--classes", "10"];

describe("vdnn depth --simulate", () => {
  it("finds the deepest network of every policy, with one that is one layer deeper failing", async () => {
    const flags = [...SMALL, "--batch", "8", "--device-memory", "1MiB", "--max", "200", "--json"];
    expect(await main(["depth", "--simulate", "--gpu", "titan-x", ...flags])).toBe(0);
    expect(output.stderr).toBe("");
    expect(JSON.parse(output.stdout)).toMatchObject({ schema: "vdnn-depth/1", source: "simulated", searched: "depth" });
    const rows = rowsOf();
    for (const { policy, largest, verdict, nextSize, next, trials, peakDeviceBytes } of Object.values(rows)) {
      if (verdict !== "verified" || largest === null) continue;
      expect([policy, nextSize, next?.kind]).toEqual([policy, largest + 1, "too-large"]);
      expect(trials.find(({ size }) => size === largest)?.outcome).toBe("trains");
      expect(peakDeviceBytes).toBeLessThanOrEqual(2 ** 20);
    }
    const largest = (policy: string): number => rows[policy]?.largest ?? 0;
    expect(largest("stock")).toBeGreaterThan(0);
    expect(largest("liveness")).toBeGreaterThan(largest("stock"));
    expect(largest("vdnn-all")).toBeGreaterThan(largest("liveness"));
    expect(largest("auto")).toBeGreaterThanOrEqual(largest("vdnn-all"));
  });

  it("finds the largest batch, and says that nothing was tried beyond --max", async () => {
    const flags = [...SMALL, "--search", "batch", "--depth", "4", "--device-memory", "1MiB", "--max", "64"];
    expect(await main(["depth", "--simulate", ...flags, "--policy", "stock", "--policy", "vdnn-all"])).toBe(0);
    expect(output.stdout).toContain("largest batch of chain, depth 4, sgd: 1 to 64");
    expect(output.stdout).toMatch(/^stock +\d+ .* does not fit: needs /m);
    expect(output.stdout).toContain("Simulated; nothing ran.");
    const wide = ["--device-memory", "1GiB", "--max", "4", "--policy", "stock"];
    expect(await main(["depth", "--simulate", ...SMALL, "--search", "batch", "--depth", "2", ...wide])).toBe(0);
    expect(output.stdout).toMatch(/^stock +>= 4 .* not tried: --max$/m);
  });

  it("exits with 3 where nothing trains at any size", async () => {
    const flags = [...SMALL, "--device-memory", "1KiB", "--max", "8", "--policy", "auto"];
    expect(await main(["depth", "--simulate", ...flags])).toBe(3);
    expect(output.stdout).toMatch(/^auto +none .* 1: does not fit: needs /m);
  });
});

describe("vdnn depth with real runs", () => {
  it("trains each size in a process of its own, under the session's budget or against its peak", async () => {
    const flags = [...SMALL, "--batch", "2", "--device-memory", "200KiB", "--backend", "wasm", "--steps", "2"];
    const range = ["--start", "4", "--max", "16", "--step", "4", "--policy", "stock,vdnn-all"];
    expect(await main(["depth", ...flags, ...range, "--json"])).toBe(0);
    expect(output.stderr).toBe("");
    const rows = rowsOf();
    expect(rows["stock"]?.next).toMatchObject({ kind: "too-large", reason: expect.stringContaining("metered peak") });
    expect(rows["vdnn-all"]?.largest).toBeGreaterThan(rows["stock"]?.largest ?? 0);
    expect(rows["vdnn-all"]?.peakDeviceBytes).toBeLessThanOrEqual(200 * 1024);
  }, 180_000);

  it("reports a trial that takes too long as that, and exits with 1", async () => {
    const flags = [...SMALL, "--batch", "2", "--device-memory", "1GiB", "--backend", "wasm", "--timeout", "0.05"];
    expect(await main(["depth", ...flags, "--max", "1", "--policy", "liveness"])).toBe(1);
    expect(output.stdout).toMatch(/^liveness +none .* 1: TIMED OUT: no result after 0.05 s$/m);
    expect(output.stdout).toContain("say nothing about memory");
  }, 60_000);
});

describe("real trials on tensorflow", () => {
  const REFUSED: TrialEnd = {
    kind: "too-large",
    reason: "conv1 needs 1 MiB but the device's own allocator refused it",
  };
  const OVER_BUDGET: TrialEnd = { kind: "too-large", reason: "conv1 needs 1 MiB but 0 B of 48 MiB is free" };
  const subject = {
    network: "chain",
    searched: "depth",
    depth: undefined,
    batch: 1,
    optimizer: "sgd",
    sizes: {},
  } as const;
  const budgets: (number | string | undefined)[] = [];
  const trialsWith = (run: (mib: number) => TrialEnd) =>
    realTrials(subject, {
      backend: "tensorflow",
      deviceBytes: 64 * 2 ** 20,
      hostBytes: undefined,
      steps: 2,
      timeoutMs: 1000,
      headrooms: [0.25, 0.5, 0.75],
      run: ({ session }, { env }) => {
        expect(env).toEqual(cappedAllocator(64 * 2 ** 20));
        budgets.push(session.deviceMemory);
        return Promise.resolve(run(Number(session.deviceMemory) / 2 ** 20));
      },
    });

  beforeEach(() => {
    budgets.length = 0;
  });

  it("leave more headroom where the allocator refuses or the process crashes, and no less the next time", async () => {
    const trains = { kind: "trains", result: { peakDeviceBytes: 1, stepMs: [3, 1, 1] } } as unknown as TrialEnd;
    const { trial } = trialsWith((mib) =>
      mib > 40 ? { kind: "crash", reason: "ended by SIGSEGV" } : mib > 20 ? REFUSED : trains,
    );
    expect(await trial("vdnn-dyn", 10)).toMatchObject({ kind: "trains", facts: { stepMs: 1, headroom: 0.75 } });
    await trial("vdnn-dyn", 20);
    expect(budgets.map((bytes) => Number(bytes) / 2 ** 20)).toEqual([48, 32, 16, 16]);
  });

  it("leave it at that where the session's own budget was the cause, or nothing can move", async () => {
    expect(await trialsWith(() => OVER_BUDGET).trial("vdnn-dyn", 10)).toEqual(OVER_BUDGET);
    expect(await trialsWith(() => REFUSED).trial("liveness", 10)).toEqual(REFUSED);
    expect(await trialsWith(() => REFUSED).trial("stock", 10)).toEqual(REFUSED);
    expect(budgets).toEqual([48 * 2 ** 20, 48 * 2 ** 20, undefined]);
  });
});

describe("outcomeOf", () => {
  const failed = (code: string | null, message: string) => ({ ok: false, code, message }) as const;

  it.each([
    [failed("ERR_OUT_OF_MEMORY", "conv1 needs 4 MiB"), "", "too-large"],
    [failed("ERR_HOST_MEMORY", "the host is full"), "", "too-large"],
    [failed(null, "OOM when allocating tensor with shape[32,64]"), "", "too-large"],
    [failed(null, "x is not a function"), "", "crash"],
    [failed("ERR_BACKEND", "backend wasm does not start"), "", "crash"],
    [undefined, "terminate called after throwing an instance of 'std::bad_alloc'", "too-large"],
    [undefined, "FATAL ERROR: Reached heap limit: JavaScript heap out of memory", "crash"],
    [undefined, "", "crash"],
  ])("tells running out of memory from crashing: %j %j", (message, stderr, kind) => {
    expect(outcomeOf(message, "ended by SIGABRT", stderr).kind).toBe(kind);
  });

  it("caps TensorFlow's allocator in whole MiB, rounded down", () => {
    expect(cappedAllocator(3.9 * 2 ** 20)["TF_CPU_BFC_MEM_LIMIT_IN_MB"]).toBe("3");
  });
});

describe("sizesOf", () => {
  it.each(["chain", "lstm", "transformer", "vgg", "resnet", "densenet"])(
    "names depths that %s can be built with",
    async (network) => {
      const tf = await import("@tensorflow/tfjs");
      const sizes = sizesOf({ network, searched: "depth", max: 120 });
      expect(sizes.length).toBeGreaterThan(1);
      for (const depth of sizes.slice(0, 2)) {
        const imageSize = networks[network]?.defaults.imageSize === 0 ? undefined : 32;
        const build = () => networks[network]?.build(tf, { depth, imageSize, classes: 10 });
        expect(() => withoutWeights(tf, () => build()!)).not.toThrow();
      }
    },
  );

  it("leaves out what is another family, and counts every n-th", () => {
    expect(sizesOf({ network: "resnet", searched: "depth", max: 160 })).not.toContain(50);
    expect(sizesOf({ network: "vgg", searched: "depth", max: 500, every: 2 })).toEqual([16, 216, 416]);
    expect(sizesOf({ network: "alexnet", searched: "batch", max: 100, every: 32 })).toEqual([32, 64, 96]);
  });
});

describe("vdnn depth, called wrongly", () => {
  it.each([
    [["--simulate", "--gpu", "titan-y"], 'unknown gpu "titan-y"; did you mean titan-x'],
    [["--simulate", "--network", "chian"], 'unknown network "chian"; did you mean chain'],
    [["--simulate", "--policy", "vdnn-al"], 'unknown policy "vdnn-al"; did you mean vdnn-all'],
    [["--simulate", "--network", "alexnet"], "alexnet has one depth"],
    [["--simulate", "--network", "resnet-50"], "resnet-50 has 50 layers, so there is no depth to search: name resnet"],
    [["--simulate", "--network", "vgg", "--max", "10"], "the smallest vgg has 16 layers, got 10"],
    [["--simulate", "--optimizer", "adagrad"], "the simulator knows sgd, momentum and adam"],
    [["--simulate", "--depth", "8"], "--depth: it is what --search depth looks for"],
    [["--simulate", "--search", "batch", "--batch", "8"], "--batch: it is what --search batch looks for"],
    [["--simulate", "--search", "width"], "Allowed choices are depth, batch"],
    [["--simulate", "--device-memory", "0"], "Expected a size such as 512MiB"],
    [[], "--device-memory: needed unless --simulate"],
    [["--device-memory", "1GiB", "--gpu", "titan-x"], "--gpu: needs --simulate"],
    [["--device-memory", "1GiB", "--policy", "network-wide"], 'unknown policy "network-wide"'],
    [["--device-memory", "1GiB", "--headroom", "0.5,1"], "Expected shares from 0"],
    [["--device-memory", "1GiB", "--timeout", "0"], "Expected a positive number"],
  ])("calls %j a usage error", async (flags, message) => {
    expect(await main(["depth", ...flags])).toBe(2);
    expect(output.stdout).toBe("");
    expect(output.stderr).toContain(message);
  });
});
