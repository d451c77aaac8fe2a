/** DTR's simulator in our words, on programs small enough to follow by hand. */
import { describe, expect, it } from "vitest";
import type { Graph, GraphKernel, GraphTensor } from "../../../src/graph/graph.ts";
import { simulateDtr } from "../../../src/simulator/baselines/dtr.ts";
import { dtrProgram } from "../../../src/simulator/baselines/dtr-program.ts";

function graphOf(tensors: readonly GraphTensor[], kernels: readonly Omit<GraphKernel, "pass" | "name">[]): Graph {
  return {
    schema: "vdnn-graph/1",
    name: "program",
    tensors,
    kernels: kernels.map((kernel, k) => ({ ...kernel, name: `k${k}`, pass: "forward" })),
  };
}

const map = (bytes: number): GraphTensor => ({ bytes, role: "activation" });

/** a is read again behind c, which needs b. */
const readAgain = graphOf(
  [{ bytes: 0, role: "input" }, map(4), map(4), map(4), { bytes: 1, role: "output" }],
  [
    { ms: 3, inputs: [0], outputs: [1] },
    { ms: 1, inputs: [0], outputs: [2] },
    { ms: 1, inputs: [2], outputs: [3] },
    { ms: 1, inputs: [1, 3], outputs: [4] },
  ],
);

describe("simulateDtr", () => {
  it("runs every operator once when memory suffices", () => {
    expect(simulateDtr(readAgain, { budgetBytes: 12 })).toEqual({
      stepMs: 6,
      failure: null,
      evictions: 0,
      peakBytes: 12,
    });
  });

  it("evicts what is not locked and rebuilds it when it is read", () => {
    expect(simulateDtr(readAgain, { budgetBytes: 9 })).toMatchObject({ stepMs: 9, evictions: 1, peakBytes: 9 });
  });

  it("fails where an operator's inputs and outputs do not fit", () => {
    expect(simulateDtr(readAgain, { budgetBytes: 7 })).toMatchObject({ stepMs: null, failure: "memory" });
  });

  it("evicts what is cheap for its bytes, counting what would have to be rebuilt with it", () => {
    // x1 from x0, both evictable; y is as cheap and as large as x1 but needs nothing that is gone.
    const graph = graphOf(
      [{ bytes: 0, role: "input" }, map(4), map(4), map(4), map(4), { bytes: 1, role: "output" }],
      [
        { ms: 10, inputs: [0], outputs: [1] },
        { ms: 2, inputs: [1], outputs: [2] },
        { ms: 2, inputs: [0], outputs: [3] },
        { ms: 1, inputs: [0], outputs: [4] },
        { ms: 1, inputs: [2, 3, 4], outputs: [5] },
      ],
    );
    // At the fourth operator x0 is gone (released), x1 is staler than y: (2 + 10) / (4 * 2) against 2 / (4 * 0 + ...).
    const run = simulateDtr(graph, { budgetBytes: 13 });
    expect(run).toMatchObject({ evictions: 0, stepMs: 16 });
    expect(simulateDtr(graph, { budgetBytes: 12 }).failure).toBe("memory");
  });

  it("gives up at twice the time of the operators", () => {
    expect(simulateDtr(readAgain, { budgetBytes: 9, timeLimit: 1.4 })).toMatchObject({ stepMs: null, failure: "time" });
  });

  it("brings results back at the end", () => {
    const graph = graphOf(
      [{ bytes: 0, role: "input" }, { bytes: 4, role: "output" }, map(4), { bytes: 4, role: "output" }],
      [
        { ms: 1, inputs: [0], outputs: [1] },
        { ms: 5, inputs: [0], outputs: [2] },
        { ms: 1, inputs: [2], outputs: [3] },
      ],
    );
    expect(simulateDtr(graph, { budgetBytes: 8 })).toMatchObject({ stepMs: 8, evictions: 1 });
  });
});

describe("dtrProgram", () => {
  it("makes a new value of what is written in place, and lets go of the old one behind it", () => {
    const { operators, results, makers } = dtrProgram(
      graphOf(
        [{ bytes: 1, role: "weight" }, map(4), { bytes: 1, role: "output" }],
        [
          { ms: 1, inputs: [0], outputs: [1] },
          { ms: 1, inputs: [1], outputs: [1] },
          { ms: 1, inputs: [1], outputs: [2] },
        ],
      ),
    );
    expect([...makers]).toEqual([-1, 0, 1, 2]);
    expect(operators.map(({ releases }) => releases)).toEqual([[], [1], [2]]);
    expect(results).toEqual([3]);
  });
});
