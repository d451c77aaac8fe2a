/**
 * What vDNN's paper counts (Rhu et al., MICRO 2016, sections II-C and IV-A).
 *
 * Note [Network-wide]
 * ~~~~~~~~~~~~~~~~~~~
 * The baseline allocates for the whole network before training: every feature map of every layer (in-place layers have none of
 * their own), weights and their gradients, and then what layers can share: two buffers for the gradients of feature maps, each
 * as large as the largest, and one workspace, as large as the largest.
 *
 * Note [Average memory]
 * ~~~~~~~~~~~~~~~~~~~~~
 * The paper's savings of 89, 91 and 95 % are of average memory. It manages feature extraction layers alone and leaves the classifier
 * as it is; but AlexNet's classifier has more weights than 11 % of its network-wide memory, so they cannot be in that average.
 * Here the average is over time and counts, of feature extraction layers, feature maps, their gradients and workspaces: what
 * vDNN allocates and releases. It is compared with all of network-wide. That definition is a reading of the paper, not a quote.
 */
import type { Graph, TensorIndex } from "../graph/graph.ts";
import type { WorkGraph } from "./work.ts";

/** Bytes by use; `totalBytes` is their sum. */
export interface NetworkWide {
  readonly featureMapBytes: number;
  readonly inputBytes: number;
  readonly weightBytes: number;
  readonly weightGradientBytes: number;
  readonly stateBytes: number;
  /** Two shared buffers. */
  readonly gradientMapBytes: number;
  readonly workspaceBytes: number;
  readonly totalBytes: number;
}

/**
 * @param graph with workspaces
 * @param weightGradients of the same graph
 */
export function networkWide(graph: Graph, weightGradients: readonly TensorIndex[]): NetworkWide {
  const ofWeights = new Set(weightGradients);
  const sums = { activation: 0, input: 0, weight: 0, state: 0, output: 0, gradient: 0 };
  let weightGradientBytes = 0;
  let largestGradient = 0;
  graph.tensors.forEach(({ bytes, role }, t) => {
    if (ofWeights.has(t)) weightGradientBytes += bytes;
    else if (role === "gradient") largestGradient = Math.max(largestGradient, bytes);
    else sums[role] += bytes;
  });
  const parts = {
    featureMapBytes: sums.activation + sums.output,
    inputBytes: sums.input,
    weightBytes: sums.weight,
    weightGradientBytes,
    stateBytes: sums.state,
    gradientMapBytes: 2 * largestGradient,
    workspaceBytes: graph.kernels.reduce((most, { workspaceBytes = 0 }) => Math.max(most, workspaceBytes), 0),
  };
  return { ...parts, totalBytes: Object.values(parts).reduce((sum, bytes) => sum + bytes, 0) };
}

/** What counts for Note [Average memory]: tensors first written in a feature extraction layer, and kernels of one. */
export function managedByVdnn(graph: WorkGraph): {
  readonly counts: (t: TensorIndex) => boolean;
  readonly countsWorkspace: (kernel: number) => boolean;
} {
  const features = new Set(graph.featureLayers);
  const ofWeights = new Set(graph.weightGradients);
  const managed = new Set<TensorIndex>();
  const seen = new Set<TensorIndex>();
  graph.kernels.forEach(({ layer = "", inputs, outputs }) => {
    for (const t of [...inputs, ...outputs]) {
      if (seen.has(t)) continue;
      seen.add(t);
      const role = graph.tensors[t]?.role;
      const isMap = role === "activation" || role === "input" || (role === "gradient" && !ofWeights.has(t));
      if (isMap && features.has(layer)) managed.add(t);
    }
  });
  return {
    counts: (t) => managed.has(t),
    countsWorkspace: (k) => features.has(graph.kernels[k]?.layer ?? ""),
  };
}
