/**
 * The device ends before the budget does. TensorFlow's allocator, capped, is the one that it uses on GPUs, and a refusal is a
 * genuine one; each trial is a process of its own, and each refusal waits 10 s.
 */
import { describe, expect, test } from "vitest";
import { runTrial, sameBits, type SessionSettings, type TrialResult } from "../../benchmarks/trial.ts";
import { cappedAllocator } from "../../src/commands/trial-process.ts";
import { MIB } from "../../src/units.ts";

const CAP_MIB = 128;
const WORKLOAD = {
  network: "chain",
  options: { depth: 60, width: 32, imageSize: 32, classes: 10 },
  batch: 16,
};

async function train(session: SessionSettings | null, capped: boolean): Promise<TrialResult> {
  const env = cappedAllocator(CAP_MIB * MIB);
  const outcome = await runTrial({ backend: "tensorflow", workload: WORKLOAD, steps: 6, session }, capped ? env : {});
  if (!outcome.ok) throw new Error(outcome.reason);
  return outcome.value;
}

describe("a device that is smaller than its budget", () => {
  test(
    "trains without any budget, to stock's bits, and stays below what the device granted",
    { timeout: 240_000 },
    async () => {
      const stock = await train(null, false);
      await expect(train(null, true)).rejects.toThrow(/OOM when allocating|SIGSEGV/);
      const found = await train({ policy: "vdnn-dyn" }, true);
      expect(sameBits(stock, found)).toBe(true);
      const [warning] = found.report?.warnings ?? [];
      expect(warning).toMatch(/own allocator refused .* stays below/);
      const planned = found.report?.iterations.at(-1);
      expect(planned?.mode).toBe("planned");
      expect(planned?.peakDeviceBytes).toBeLessThan(CAP_MIB * MIB);
    },
  );

  test(
    "is a typed error with TensorFlow's own as its cause where nothing may leave",
    { timeout: 120_000 },
    async () => {
      await expect(train({ policy: "liveness" }, true)).rejects.toThrow(
        /VdnnError: .* own allocator refused it with .* under policy liveness/,
      );
    },
  );
});
