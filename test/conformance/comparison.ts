/**
 * One training case under vdnn beside stock TensorFlow.js: on any platform, without a test framework, so that it runs in a browser
 * too.
 */
import type { TensorFlow } from "../../src/networks/network.ts";
import type { VirtualizeOptions } from "../../src/runtime/options.ts";
import type { Session } from "../../src/runtime/session.ts";
import { type ConformanceCase, differences, type TrainResult } from "./case.ts";
import type { Mode } from "./modes.ts";

export interface ComparisonOptions {
  readonly tf: TensorFlow;
  readonly virtualize: (tf: TensorFlow, options: VirtualizeOptions) => Promise<Session>;
  readonly steps: number;
  /** No budget is smaller: below it there is nothing that may move. */
  readonly leastBudgetBytes: number;
}

/** What a run under vdnn must be like: `EXPECTED`, with iterations that were seen. */
export interface Verdict {
  /** Names of what differs in a bit: losses, weights, optimizer state. */
  readonly differences: readonly string[];
  /** Tensors that were left behind. */
  readonly tensors: number;
  /** Properties of the engine that were left behind. */
  readonly properties: readonly string[];
  readonly trained: boolean;
}

export const EXPECTED: Verdict = { differences: [], tensors: 0, properties: [], trained: true };

export class Comparison {
  readonly #options: ComparisonOptions;
  readonly #stock = new Map<string, Promise<TrainResult>>();

  constructor(options: ComparisonOptions) {
    this.#options = options;
  }

  async compare({ name, train }: ConformanceCase, mode: Mode): Promise<Verdict> {
    const { tf, virtualize, steps } = this.#options;
    let stock = this.#stock.get(name);
    if (stock === undefined) {
      stock = train(tf, steps);
      this.#stock.set(name, stock);
    }
    const reference = await stock;
    const options = await this.#optionsOf(mode, train);
    const tensors = tf.memory().numTensors;
    const own = new Set(Object.keys(tf.engine()));
    const session = await virtualize(tf, options);
    let result: TrainResult;
    let trained: boolean;
    try {
      result = await train(tf, steps);
      trained = session.report().iterations.length > 0;
    } finally {
      await session.dispose();
    }
    return {
      differences: differences(reference, result),
      tensors: tf.memory().numTensors - tensors,
      properties: Object.keys(tf.engine()).filter((key) => !own.has(key)),
      trained,
    };
  }

  async #optionsOf({ options, timesVdnnAll }: Mode, train: ConformanceCase["train"]): Promise<VirtualizeOptions> {
    if (timesVdnnAll === undefined) return options;
    const bytes = Math.ceil(timesVdnnAll * (await this.#peakUnderVdnnAll(train)));
    return { ...options, deviceMemory: Math.max(this.#options.leastBudgetBytes, bytes) };
  }

  async #peakUnderVdnnAll(train: ConformanceCase["train"]): Promise<number> {
    const { tf, virtualize, steps } = this.#options;
    const session = await virtualize(tf, { policy: "vdnn-all" });
    try {
      await train(tf, steps);
      return session.report().peakDeviceBytes;
    } finally {
      await session.dispose();
    }
  }
}
