/**
 * Random iterations small enough for the exact optimum: a few layers with uneven times and sizes, skips, in-place updates and
 * workspace, and a machine whose link is about as fast as the layers. Shared by the property tests and `benchmarks/optimality.ts`.
 */
import fc from "fast-check";
import type { Graph, GraphKernel, GraphTensor } from "../../src/graph/graph.ts";
import type { Machine } from "../../src/plan/policy.ts";

export interface SmallLayer {
  /** Of the layer's feature map; one unit is 1 MB. */
  readonly units: number;
  readonly forwardMs: number;
  readonly backwardMs: number;
  /** How far back it also reads; 0 for no skip. */
  readonly skip: number;
  /** Its backward kernel reads its own output too. */
  readonly readsOutput: boolean;
  /** A second forward kernel updates the map in place. */
  readonly inPlace: boolean;
  readonly workspaceUnits: number;
  readonly recomputable: boolean;
}

export interface SmallCase {
  readonly layers: readonly SmallLayer[];
  /** Place of the device budget between what must be there at once and what is there at once with everything kept. */
  readonly share: number;
  /** Units that the link moves per ms, out and in. */
  readonly out: number;
  readonly in: number;
  /** Host budget as a share of all feature maps; null without one. */
  readonly hostShare: number | null;
}

const UNIT_BYTES = 1e6;

export function smallCases(most: number): fc.Arbitrary<SmallCase> {
  const layer: fc.Arbitrary<SmallLayer> = fc.record({
    units: fc.integer({ min: 1, max: 12 }),
    forwardMs: fc.integer({ min: 1, max: 8 }),
    backwardMs: fc.integer({ min: 1, max: 12 }),
    skip: fc.integer({ min: 0, max: 2 }),
    readsOutput: fc.boolean(),
    inPlace: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
    workspaceUnits: fc.integer({ min: 0, max: 3 }),
    recomputable: fc.integer({ min: 0, max: 5 }).map((n) => n > 0),
  });
  return fc.record({
    layers: fc.array(layer, { minLength: 2, maxLength: most }),
    share: fc.integer({ min: 0, max: 9 }).map((n) => n / 10),
    out: fc.constantFrom(0.5, 1, 2, 4),
    in: fc.constantFrom(0.5, 1, 2, 4),
    hostShare: fc.constantFrom(null, null, null, 0.5, 0.8),
  });
}

export function smallGraph({ layers }: SmallCase): Graph {
  const tensors: GraphTensor[] = [];
  const kernels: GraphKernel[] = [];
  const add = (units: number, role: GraphTensor["role"]): number =>
    tensors.push({ bytes: units * UNIT_BYTES, role }) - 1;
  const maps = [add(2, "input")];
  const reads: number[][] = [];
  layers.forEach(({ units, forwardMs, skip, inPlace, workspaceUnits, recomputable }, i) => {
    const inputs = [...new Set([maps[i] ?? 0, maps[Math.max(0, i - skip)] ?? 0])];
    const map = add(units, "activation");
    reads.push(inputs);
    maps.push(map);
    kernels.push({
      name: "forward",
      layer: `layer${i}`,
      pass: "forward",
      ms: forwardMs,
      inputs,
      outputs: [map],
      workspaceBytes: workspaceUnits * UNIT_BYTES,
      recomputable,
    });
    if (inPlace) {
      kernels.push({ name: "relu", layer: `layer${i}`, pass: "forward", ms: 1, inputs: [map], outputs: [map] });
    }
  });
  let upstream = maps.at(-1) ?? 0;
  for (let i = layers.length - 1; i >= 0; i--) {
    const { backwardMs = 1, readsOutput = false } = layers[i] ?? {};
    const gradient = add(i === 0 ? 1 : (layers[i - 1]?.units ?? 1), "gradient");
    const own = readsOutput ? [maps[i + 1] ?? 0] : [];
    kernels.push({
      name: "backward",
      layer: `layer${i}`,
      pass: "backward",
      ms: backwardMs,
      inputs: [...new Set([upstream, ...(reads[i] ?? []), ...own])],
      outputs: [gradient],
    });
    upstream = gradient;
  }
  return { schema: "vdnn-graph/1", name: "small", tensors, kernels };
}

/** @param peakBytes with everything kept; @param leastBytes what the hungriest kernel needs at once */
export function smallMachine(small: SmallCase, leastBytes: number, peakBytes: number): Machine {
  const all = small.layers.reduce((sum, { units }) => sum + units * UNIT_BYTES, 2 * UNIT_BYTES);
  return {
    name: "small",
    deviceBytes: Math.ceil(leastBytes + small.share * (peakBytes - leastBytes)),
    hostBytes: small.hostShare === null ? Number.POSITIVE_INFINITY : Math.ceil(all * small.hostShare),
    // A unit is 1e6 bytes, so units per ms are GB/s.
    offloadGBps: small.out,
    prefetchGBps: small.in,
  };
}
