/**
 * The conformance suite: every training case under every policy gives the bits of stock TensorFlow.js, leaves no tensor behind,
 * and leaves the engine as it was. One test file per backend calls it, because TensorFlow.js is one per process.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { policies } from "../../src/plan/policies/index.ts";
import type { VirtualizeOptions } from "../../src/runtime/options.ts";
import { virtualize } from "../../src/platforms/node.ts";
import type { TensorFlow } from "../../src/networks/network.ts";
import { cases, type ConformanceCase, differences, type TrainResult, whyUnsupported } from "./cases.ts";

const STEPS = 5;
/** The large networks take their time on a busy machine. */
const TIMEOUT_MS = 300_000;

interface Mode {
  readonly name: string;
  readonly options: VirtualizeOptions;
  /** Too slow for the large networks, whose kernels the smaller ones have too. */
  readonly smallOnly?: boolean;
  /** Device budget as a multiple of the whole session's peak under vdnn-all, so that much has to leave. */
  readonly timesVdnnAll?: number;
}

const MODES: readonly Mode[] = [
  // Without a budget `auto` is `liveness`: it is tried with one.
  ...policies.filter(({ name }) => name !== "auto").map(({ name }) => ({ name, options: { policy: name } })),
  { name: "auto with a tenth more than vdnn-all needs", options: { policy: "auto" }, timesVdnnAll: 1.1 },
  { name: "offloading everything after each kernel", options: { policy: "vdnn-all", adversarial: true } },
  {
    name: "offloading everything after each kernel through a small host pool to disk",
    options: { policy: "vdnn-dyn", adversarial: true, hostMemory: "4MiB", spill: true },
    smallOnly: true,
  },
];

export interface SuiteOptions {
  readonly backend: string;
  readonly costs: readonly ConformanceCase["cost"][];
  readonly load: () => Promise<TensorFlow>;
  /** Default: all of these costs. */
  readonly includes?: (name: string) => boolean;
  /** Default 5. */
  readonly steps?: number;
  /** No budget is smaller: below it there is nothing that may move. Default 0. */
  readonly leastBudgetBytes?: number;
}

export function conformanceSuite({
  backend,
  costs,
  load,
  includes = () => true,
  steps = STEPS,
  leastBudgetBytes = 0,
}: SuiteOptions): void {
  let tf: TensorFlow;
  const stock = new Map<string, Promise<TrainResult>>();

  async function peakUnderVdnnAll(train: ConformanceCase["train"]): Promise<number> {
    const session = await virtualize(tf, { policy: "vdnn-all" });
    try {
      await train(tf, steps);
      return session.report().peakDeviceBytes;
    } finally {
      await session.dispose();
    }
  }

  beforeAll(async () => {
    tf = await load();
    expect(tf.getBackend()).toBe(backend);
  });

  afterAll(() => stock.clear());

  for (const conformanceCase of cases) {
    const { name, cost, train } = conformanceCase;
    if (!costs.includes(cost) || !includes(name)) continue;
    const unsupported = whyUnsupported(conformanceCase, backend);
    describe.skipIf(unsupported !== undefined)(`${name}${unsupported === undefined ? "" : ` (${unsupported})`}`, () => {
      for (const mode of MODES) {
        if (mode.smallOnly === true && cost !== "tiny") continue;
        test(`has the same bits under ${mode.name}`, { timeout: TIMEOUT_MS }, async () => {
          let expected = stock.get(name);
          if (expected === undefined) {
            expected = train(tf, steps);
            stock.set(name, expected);
          }
          const reference = await expected;
          const options =
            mode.timesVdnnAll === undefined
              ? mode.options
              : {
                  ...mode.options,
                  deviceMemory: Math.max(
                    leastBudgetBytes,
                    Math.ceil(mode.timesVdnnAll * (await peakUnderVdnnAll(train))),
                  ),
                };
          const tensors = tf.memory().numTensors;
          const own = Object.keys(tf.engine()).toSorted();
          const session = await virtualize(tf, options);
          let result: TrainResult;
          try {
            result = await train(tf, steps);
            expect(session.report().iterations.length).toBeGreaterThan(0);
          } finally {
            await session.dispose();
          }
          expect(differences(reference, result)).toEqual([]);
          expect(tf.memory().numTensors).toBe(tensors);
          expect(Object.keys(tf.engine()).toSorted()).toEqual(own);
        });
      }
    });
  }
}
