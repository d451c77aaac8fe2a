/** The statistics and the order of measurements that all benchmarks share. */
import { describe, expect, it } from "vitest";
import { interleave, runChild, summarize } from "../../benchmarks/harness.ts";
import { readWorkloads } from "../../benchmarks/workloads.ts";

describe("summarize", () => {
  it("keeps all samples in their order beside median, extremes and spread", () => {
    const samples = [5, 1, 3, 2, 4];
    expect(summarize(samples)).toEqual({ median: 3, min: 1, max: 5, spread: 2 / 3, samples });
    expect(summarize([1, 2]).median).toBe(1.5);
  });
});

describe("interleave", () => {
  it("runs every mode once per round and starts each round with another one", async () => {
    const order: string[] = [];
    await interleave(["a", "b", "c"], 3, async (mode, round) => void order.push(`${mode}${round}`));
    expect(order.join(" ")).toBe("a0 b0 c0 b1 c1 a1 c2 a2 b2");
  });
});

describe("runChild", () => {
  it("answers with what the child threw, not with an exception", async () => {
    const outcome = await runChild("trial.ts", []);
    expect(outcome).toMatchObject({
      ok: false,
      reason: expect.stringMatching(/^Error: trial\.ts is started/) as string,
    });
  });
});

describe("readWorkloads", () => {
  const given = { nets: "chain,vgg", batch: "2", depth: "6", "image-size": "" };

  it("overrides the depth of the chain alone", () => {
    const [chain, vgg] = readWorkloads(given);
    expect(chain).toMatchObject({ batch: 2, options: { depth: 6, imageSize: 32 } });
    expect(vgg).toMatchObject({ batch: 2, options: { depth: 16, imageSize: 64 } });
  });

  it("takes one batch size for each of the nets", () => {
    expect(readWorkloads({ ...given, batch: "2,4" }).map(({ batch }) => batch)).toEqual([2, 4]);
    expect(() => readWorkloads({ ...given, batch: "2,4,8" })).toThrow(/--batch: expected one size, or 2/);
  });

  it("says which nets there are", () => {
    expect(() => readWorkloads({ ...given, nets: "lenet" })).toThrow(/chain, vgg, resnet/);
  });
});
