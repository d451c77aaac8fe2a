/** What a session hands out as the recorded iteration: the largest kind, with the names of variables. */
import * as tf from "@tensorflow/tfjs";
import "@tensorflow/tfjs-backend-cpu";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { checkGraph } from "../../src/graph/check.ts";
import type { Graph } from "../../src/graph/graph.ts";
import { Recording } from "../../src/runtime/recording.ts";
import { virtualize } from "../../src/platforms/node.ts";
import type { Session } from "../../src/runtime/session.ts";

function graphOf(bytes: number, kernels: number): Graph {
  return {
    schema: "vdnn-graph/1",
    name: `${bytes}`,
    tensors: [{ bytes, role: "activation" }],
    kernels: Array.from({ length: kernels }, () => ({ name: "K", pass: "forward", ms: 1, inputs: [], outputs: [0] })),
  };
}

describe("a recording", () => {
  it("keeps the iteration with the largest activations, in its latest record, and counts the kinds", () => {
    const recording = new Recording();
    expect(recording.largest).toBeNull();
    const again = graphOf(20, 2);
    for (const graph of [graphOf(10, 1), graphOf(20, 2), again, graphOf(5, 1)]) recording.add(graph);
    expect(recording.largest).toBe(again);
    expect(recording.kinds).toBe(3);
  });
});

describe("a session's record", () => {
  let session: Session | undefined;

  beforeAll(async () => {
    await tf.setBackend("cpu");
  });

  afterEach(async () => {
    await session?.dispose();
  });

  it("is the larger of two batch sizes, names variables, and is a graph that files take", async () => {
    session = await virtualize(tf, { policy: "liveness", selfTest: false });
    const model = tf.sequential({
      layers: [tf.layers.dense({ units: 8, inputShape: [4], activation: "relu" }), tf.layers.dense({ units: 1 })],
    });
    model.compile({ optimizer: "adam", loss: "meanSquaredError" });
    expect(session.recorded()).toBeNull();
    for (const batch of [16, 16, 4]) await model.trainOnBatch(tf.ones([batch, 4]), tf.ones([batch, 1]));
    const recorded = session.recorded();
    expect(recorded?.kinds).toBe(2);
    const graph = recorded?.graph as Graph;
    expect(() => checkGraph(graph, "recorded")).not.toThrow();
    expect(Math.max(...graph.tensors.map(({ bytes }) => bytes))).toBe(16 * 8 * 4);
    const named = graph.tensors.flatMap(({ name, role }) => (name === undefined ? [] : [`${role} ${name}`]));
    expect(named.map((each) => each.replace(/_Dense\d/, ""))).toEqual(
      expect.arrayContaining(["weight dense/kernel", "weight dense/bias"]),
    );
    expect(named).toHaveLength(4);
    model.dispose();
  });
});
