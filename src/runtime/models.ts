/**
 * Models of tf.layers under a session that awaits. Their training function is called synchronously, inside a scope even
 * (`fit`), and what comes after it awaits. So the training function runs the forward pass and returns its loss and metrics as
 * always; the backward pass and the update follow where the model waits anyway: `onBatchEnd` in `fit` and `fitDataset`, the end of
 * `trainOnBatch`. Validation that `fit` computes inside the same scope waits for the update as well: it hands out tensors whose
 * values come after it.
 *
 * Each batch takes its turn among the session's training calls, from its last `onBatchBegin` to its first `onBatchEnd`, so that
 * callbacks may train too.
 */
import type * as tfjs from "@tensorflow/tfjs";
import type { AwaitingDriver, BegunStep } from "./awaiting.ts";
import type { TensorFlow } from "./engine.ts";

type TrainFunction = (data: tfjs.Tensor[]) => tfjs.Scalar[];

interface Prototype {
  makeTrainFunction(this: object): TrainFunction;
  testLoop(this: object, ...args: unknown[]): tfjs.Scalar[];
  fit(this: object, xs: unknown, ys: unknown, args?: FitArgs): Promise<unknown>;
  fitDataset(this: object, dataset: unknown, args: FitArgs): Promise<unknown>;
  trainOnBatch(this: object, xs: unknown, ys: unknown): Promise<unknown>;
}

interface FitArgs {
  readonly callbacks?: unknown;
  readonly yieldEvery?: unknown;
}

interface OptimizerPrototype {
  minimize: (
    this: tfjs.Optimizer,
    f: () => tfjs.Scalar,
    returnCost?: boolean,
    varList?: tfjs.Variable[],
  ) => tfjs.Scalar | null;
}

/** A batch whose turn it is. */
interface Turn {
  /** Whose batch it is. */
  model: object | null;
  /** Work left from its synchronous part, in order. */
  readonly rest: (() => Promise<void> | void)[];
  /** Loss and metrics, where the training function could not tell them yet. */
  told: number[] | null;
  /** To be disposed at its end. */
  readonly kept: tfjs.Tensor[];
  readonly end: () => void;
}

/** What a training function has returned, and the rest of its step. */
interface Run {
  readonly values: tfjs.Scalar[];
  readonly finish: () => Promise<void>;
}

type Outcome = { readonly run: Run } | { readonly run: null; readonly error: unknown };

const METHODS = ["makeTrainFunction", "testLoop", "fit", "fitDataset", "trainOnBatch"] as const;

/** Makes the models and optimizers of this TF.js await; returns the function that undoes it. */
export function awaitInModels(tf: TensorFlow, driver: AwaitingDriver): () => void {
  const optimizer = tf.Optimizer.prototype as unknown as OptimizerPrototype;
  const { minimize } = optimizer;
  const models = (tf as unknown as { LayersModel?: { prototype: Prototype } }).LayersModel?.prototype;
  if (models === undefined) return () => undefined;
  const stock = Object.fromEntries(METHODS.map((name) => [name, models[name]])) as unknown as Prototype;
  let turn: Turn | null = null;
  /** Begins the step that a training function minimizes. */
  let begins: ((optimizer: tfjs.Optimizer, f: () => tfjs.Scalar, varList?: tfjs.Variable[]) => BegunStep) | null = null;

  /** Null where the session was disposed in the middle of `fit`: the rest of it is stock TF.js. */
  const begin = (): Promise<Turn | null> =>
    new Promise((begun, failed) => {
      void driver
        .turn(
          () =>
            new Promise<void>((end) => {
              turn = driver.isClosed ? null : { model: null, rest: [], told: null, kept: [], end };
              begun(turn);
              if (turn === null) end();
            }),
        )
        .catch(failed);
    });
  /** Ends a turn that has not ended yet. */
  const end = async (mine: Turn | null): Promise<void> => {
    // By now it may be another model's.
    if (mine === null || mine !== turn) return;
    try {
      for (const work of mine.rest) await work();
    } finally {
      turn = null;
      tf.dispose(mine.kept);
      mine.end();
    }
  };

  optimizer.minimize = function deferred(f, returnCost, varList) {
    return begins === null ? minimize.call(this, f, returnCost, varList) : begins(this, f, varList).loss;
  };
  models.makeTrainFunction = function makeTrainFunction() {
    const train = stock.makeTrainFunction.call(this);
    return (data) => {
      const mine = turn;
      if (mine === null) return train(data);
      // The batch is disposed when this returns, and the backward pass comes after.
      const batch = data.map((tensor: tfjs.Tensor | null) => (tensor === null ? tensor : tf.keep(tf.clone(tensor))));
      mine.kept.push(...batch.filter((tensor) => tensor !== null));
      mine.model = this;
      const attempt = driver.attempt();
      const run = (): Run => {
        let step: BegunStep | undefined;
        begins = (by, f, varList) => (step = driver.begin(by, attempt.drawing(f), varList));
        try {
          const values = train(batch as tfjs.Tensor[]);
          return { values, finish: async () => step?.finish() };
        } finally {
          begins = null;
        }
      };
      const first = outcomeOf(run, (error) => attempt.isPossible(error));
      const { metricsNames } = this as { readonly metricsNames: readonly string[] };
      const values = first.run?.values ?? metricsNames.map(() => tf.scalar(0));
      mine.rest.push(async () => {
        try {
          if (first.run === null) throw first.error;
          await first.run.finish();
        } catch (error) {
          await attempt.beginAgain(error);
          const second = run();
          try {
            await second.finish();
            if (first.run === null) {
              mine.told = await Promise.all(second.values.map(async (value) => (await value.data())[0] ?? Number.NaN));
              second.values.forEach((value, i) => exchange(values[i], value));
            }
          } finally {
            tf.dispose(second.values);
          }
        }
      });
      return values;
    };
  };
  models.testLoop = function testLoop(...args) {
    const mine = turn;
    if (mine === null || mine.model !== this) return stock.testLoop.apply(this, args);
    const { metricsNames } = this as { readonly metricsNames: readonly string[] };
    const results = metricsNames.map(() => tf.scalar(0));
    mine.rest.push(() => {
      const values = tf.tidy(() => stock.testLoop.apply(this, args));
      values.forEach((value, i) => exchange(results[i], value));
      tf.dispose(values);
    });
    return results;
  };
  models.trainOnBatch = async function trainOnBatch(xs, ys) {
    const mine = await begin();
    const result = await stock.trainOnBatch.call(this, xs, ys).catch(async (error: unknown) => {
      await end(mine).catch(() => undefined);
      throw error;
    });
    await end(mine);
    const told = mine?.told ?? null;
    return told === null ? result : told.length === 1 ? told[0] : told;
  };
  const awaiting = async (args: FitArgs | undefined, run: (args: FitArgs) => Promise<unknown>): Promise<unknown> => {
    let mine: Turn | null = null;
    const callbacks = [
      batchCallback(tf, { onBatchEnd: () => end(mine) }),
      ...listOf(tf, args ?? {}),
      batchCallback(tf, {
        onBatchBegin: async () => {
          mine = await begin();
        },
      }),
    ];
    try {
      return await run({ ...args, callbacks });
    } finally {
      await end(mine);
    }
  };
  models.fit = function fit(xs, ys, args) {
    return awaiting(args, (all) => stock.fit.call(this, xs, ys, all));
  };
  models.fitDataset = function fitDataset(dataset, args) {
    return awaiting(args, (all) => stock.fitDataset.call(this, dataset, all));
  };
  return () => {
    optimizer.minimize = minimize;
    Object.assign(models, stock);
  };
}

interface BatchHandlers {
  readonly onBatchBegin?: () => Promise<void>;
  readonly onBatchEnd?: () => Promise<void>;
}

/** Not a CustomCallback, which would slow batches down to yield to a page. */
function batchCallback(tf: TensorFlow, { onBatchBegin, onBatchEnd }: BatchHandlers): tfjs.Callback {
  // Abstract only in its types.
  const callback = new (tf.Callback as unknown as new () => tfjs.Callback)();
  if (onBatchBegin !== undefined) callback.onBatchBegin = onBatchBegin;
  if (onBatchEnd !== undefined) callback.onBatchEnd = onBatchEnd;
  return callback;
}

/** Callbacks as `fit` takes them: one or several, as objects of its classes or of functions; and its own where there are none. */
function listOf(tf: TensorFlow, { callbacks, yieldEvery }: FitArgs): unknown[] {
  type Config = ConstructorParameters<TensorFlow["CustomCallback"]>;
  const list: unknown[] = Array.isArray(callbacks) ? callbacks : [callbacks ?? {}];
  return list.map((each) =>
    typeof (each as { setParams?: unknown }).setParams === "function"
      ? each
      : new tf.CustomCallback(each as Config[0], yieldEvery as Config[1]),
  );
}

/** @param isExpected errors that are handed on; others are thrown */
function outcomeOf(run: () => Run, isExpected: (error: unknown) => boolean): Outcome {
  try {
    return { run: run() };
  } catch (error) {
    if (!isExpected(error)) throw error;
    return { run: null, error };
  }
}

/** The two tensors take each other's data. */
function exchange(a: tfjs.Scalar | undefined, b: tfjs.Scalar): void {
  if (a === undefined || a.isDisposed) return;
  const [one, other] = [a, b] as unknown as { dataId: object }[];
  if (one !== undefined && other !== undefined) [one.dataId, other.dataId] = [other.dataId, one.dataId];
}
