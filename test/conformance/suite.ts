/**
 * The conformance suite: every training case under every policy gives the bits of stock TensorFlow.js, leaves no tensor behind,
 * and leaves the engine as it was. One test file per backend calls it, because TensorFlow.js is one per process.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { virtualize } from "../../src/platforms/node.ts";
import type { TensorFlow } from "../../src/networks/network.ts";
import { cases, type ConformanceCase, whyUnsupported } from "./cases.ts";
import { Comparison, EXPECTED } from "./comparison.ts";
import { MODES } from "./modes.ts";

const STEPS = 5;
/** The large networks take their time on a busy machine. */
const TIMEOUT_MS = 300_000;

export interface SuiteOptions {
  readonly backend: string;
  readonly costs: readonly ConformanceCase["cost"][];
  readonly load: () => Promise<TensorFlow>;
  /** Whether a case is tried, and in which mode. Default: all cases of these costs in all modes. */
  readonly includes?: (name: string, mode: string) => boolean;
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
  let comparison: Comparison;

  beforeAll(async () => {
    const tf = await load();
    expect(tf.getBackend()).toBe(backend);
    comparison = new Comparison({ tf, virtualize, steps, leastBudgetBytes });
  });

  for (const conformanceCase of cases) {
    const { name, cost } = conformanceCase;
    const modes = MODES.filter((mode) => (mode.smallOnly !== true || cost === "tiny") && includes(name, mode.name));
    if (!costs.includes(cost) || modes.length === 0) continue;
    const unsupported = whyUnsupported(conformanceCase, backend);
    describe.skipIf(unsupported !== undefined)(`${name}${unsupported === undefined ? "" : ` (${unsupported})`}`, () => {
      for (const mode of modes) {
        test(`has the same bits under ${mode.name}`, { timeout: TIMEOUT_MS }, async () => {
          expect(await comparison.compare(conformanceCase, mode)).toEqual(EXPECTED);
        });
      }
    });
  }
}
