/** Stock TensorFlow.js, metered: the baseline that all savings are reported against. */
import type { Policy } from "../policy.ts";

export const none: Policy = {
  name: "none",
  summary: "stock TF.js, metered only",
  passthrough: true,
  mayOffload: false,
  firstIteration: "keep",
  decide: (graph) => ({
    steps: [...graph.kernels.keys()].map((kernel) => ({ kind: "compute", kernel })),
    chosen: "none",
    fits: true,
  }),
};
