/** What a session tells of a run that has much to say. */
import { expect, test } from "vitest";
import { tmpdir } from "node:os";
import { HostPool } from "../../src/memory/host-pool.ts";
import { HostVault } from "../../src/memory/host-vault.ts";
import { SHARED_SEGMENTS } from "../../src/memory/shared-segments.ts";
import type { IterationResult } from "../../src/report/result.ts";
import { findPolicy } from "../../src/plan/policies/index.ts";
import { Meter } from "../../src/runtime/meter.ts";
import { parseOptions, type VirtualizeOptions } from "../../src/runtime/options.ts";
import { Planner } from "../../src/runtime/planner.ts";
import { Reporter } from "../../src/runtime/reporter.ts";
import { iterationResult } from "../support/iterations.ts";

function reporterWith(options: VirtualizeOptions): Reporter {
  const parsed = parseOptions(options, { temporaryDirectory: tmpdir }, findPolicy("auto"));
  return new Reporter({
    backend: "cpu",
    options: parsed,
    meter: new Meter(() => 0, null),
    vault: new HostVault(new HostPool({ capacityBytes: 0, segments: SHARED_SEGMENTS })),
    planner: new Planner(parsed.policy),
  });
}

test("a report has at most 100 warnings, the first and the newest, and counts those between them", () => {
  const logged: unknown[] = [];
  const reporter = reporterWith({ logger: { debug: () => undefined, warn: (warning) => void logged.push(warning) } });
  for (let i = 0; i < 98; i++) reporter.warn(String(i));
  expect(reporter.report().warnings).toHaveLength(98);
  for (let i = 98; i < 500; i++) reporter.warn(String(i));
  const { warnings } = reporter.report();
  expect(warnings).toHaveLength(99);
  expect([0, 19, 20, 97].map((i) => warnings[i])).toEqual(["0", "19", "422", "499"]);
  expect(warnings.at(-1)).toBe("402 warnings between the first and the newest are left out");
  expect(logged).toHaveLength(500);
});

test("kernels of other code are told with their iteration, and warned of once", () => {
  const told: IterationResult[] = [];
  const reporter = reporterWith({ onIteration: (iteration) => void told.push(iteration) });
  [0, 3, 2].forEach((kernels, i) => reporter.ended(iterationResult(i, "planned"), kernels));
  expect(told.map(({ foreignKernels }) => foreignKernels)).toEqual([undefined, 3, 2]);
  const { iterations, warnings } = reporter.report();
  expect(iterations).toEqual(told);
  expect(warnings).toEqual([expect.stringMatching(/^3 kernels of other code ran .*iteration 1/)]);
});
