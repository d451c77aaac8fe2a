/** What an iteration does with the steps of its plan on a device that cannot block. */
import { expect, test } from "vitest";
import type { PlanStep } from "../../src/plan/plan.ts";
import { type Block, newBlock } from "../../src/runtime/block.ts";
import type { Follower } from "../../src/runtime/follower.ts";
import { Iteration } from "../../src/runtime/iteration.ts";
import type { Meter } from "../../src/runtime/meter.ts";
import type { Planner } from "../../src/runtime/planner.ts";
import type { ReplayContext } from "../../src/runtime/replay.ts";
import type { Residency } from "../../src/runtime/residency.ts";

const OFFLOAD: PlanStep = { kind: "offload", tensor: 0, tier: "host" };
const PREFETCH: PlanStep = { kind: "prefetch", tensor: 0 };

/** An iteration whose plan does this to an input in the forward pass, with a device whose copies arrive when the test says so. */
function begun(steps: readonly PlanStep[]): { readonly iteration: Iteration; readonly block: Block; arrive(): void } {
  const block = newBlock(0, 0, {}, [4], "float32");
  let hasCopy = false;
  const transfers = {
    hasCopy: () => hasCopy,
    copy: () => true,
    isArriving: () => block.residency === "away" && !hasCopy,
    drop: () => (block.residency = "away"),
  };
  const ensure = (): void => void (block.residency = "device");
  const residency = { adapter: { asynchronous: {} }, ledger: { usedBytes: 0 }, transfers, ensure };
  const compiled = { first: steps, keepingCopy: new Set(), relyingOnCopy: new Set() };
  const follower = { compiled, block: () => block, nextUse: () => 9, isUsedSoon: () => false };
  const planner = { expected: () => follower as unknown as Follower };
  const iteration = new Iteration(
    residency as unknown as Residency,
    planner as unknown as Planner,
    { begin: () => undefined } as unknown as Meter,
    () => "",
    {} as ReplayContext,
  );
  iteration.pass = "forward";
  iteration.begin();
  return { iteration, block, arrive: () => void (hasCopy = true) };
}

test("an input that the plan sends away in the forward pass leaves at the wait in which its copy has arrived", () => {
  const { iteration, block, arrive } = begun([OFFLOAD]);
  iteration.departures.waited();
  expect(block.residency).toBe("device");
  arrive();
  iteration.departures.waited();
  expect(block.residency).toBe("away");
});

test("it stays where the plan calls it back before it has left", () => {
  const { iteration, block, arrive } = begun([OFFLOAD, PREFETCH]);
  arrive();
  iteration.departures.waited();
  expect(block.residency).toBe("device");
});
