/**
 * The scaffold of the conformance cases: seeded `Math.random`, reading the bits of weights, and the two kinds of
 * case. A model case trains a tf.layers model; a custom case trains plain variables in a loop of its own.
 */
import type {
  LayersModel,
  ModelCompileArgs,
  NamedTensorMap,
  Optimizer,
  Scalar,
  Tensor,
  Variable,
} from "@tensorflow/tfjs";
import { mulberry32 } from "../../src/networks/data.ts";
import type { TensorFlow } from "../../src/networks/network.ts";
import type { ConformanceCase, TrainResult } from "./case.ts";
import { uniform } from "./samples.ts";

type CaseHead = Pick<ConformanceCase, "name" | "cost" | "unsupported">;

export interface Samples {
  readonly xs: Tensor | Tensor[];
  readonly ys: Tensor | Tensor[];
}

export interface ModelRun {
  readonly tf: TensorFlow;
  readonly model: LayersModel;
  readonly steps: number;
  /** Keeps a tensor for the result; it is disposed after it was read. */
  readonly report: (name: string, tensor: Tensor) => void;
}

type CompileArgs = Omit<ModelCompileArgs, "optimizer">;

export interface ModelSpec extends CaseHead {
  /** Called while `Math.random` is seeded, so default initializers are reproducible. */
  readonly build: (tf: TensorFlow) => LayersModel;
  /** Default: plain SGD. */
  readonly optimizer?: (tf: TensorFlow) => Optimizer;
  /** Default loss: meanSquaredError. */
  readonly compile?: CompileArgs | ((tf: TensorFlow) => CompileArgs);
  /** Samples of one step. */
  readonly data?: (tf: TensorFlow, step: number) => Samples;
  /** Default: one `trainOnBatch` per step. Returns the losses. */
  readonly run?: (run: ModelRun) => Promise<number[]>;
  /** Disposes what stock leaves behind in the layers of a model that is disposed. */
  readonly cleanUp?: (tf: TensorFlow, model: LayersModel) => void;
  /** Seeds `Math.random` for the training too: for dropout, noise and shuffling without seeds. */
  readonly unseeded?: boolean;
}

export function modelCase(spec: ModelSpec): ConformanceCase {
  return {
    ...head(spec),
    train: (tf, steps) =>
      withSeededRandom(spec.unseeded === true, async (seeded) => {
        const model = seeded(() => spec.build(tf));
        const optimizer = spec.optimizer?.(tf) ?? tf.train.sgd(0.05);
        const compile = typeof spec.compile === "function" ? spec.compile(tf) : spec.compile;
        model.compile({ loss: "meanSquaredError", ...compile, optimizer });
        const reported: NamedTensorMap = {};
        const report = (name: string, tensor: Tensor): void => void (reported[name] = tensor);
        try {
          const losses = await (spec.run ?? trainOnBatches(spec))({ tf, model, steps, report });
          const weights = model.weights.map((weight, i) => {
            // The name without the layer's, which has a global counter in it.
            const name = weight.originalName.split("/").at(-1) ?? "";
            return [`${i}/${name}`, weight.read()] as const;
          });
          return { losses, weights: await readBits(tf, [...weights, ...Object.entries(reported)], [optimizer]) };
        } finally {
          tf.dispose(reported);
          spec.cleanUp?.(tf, model);
          // The weights of a layer that was applied several times survive the model's own dispose.
          const tensors = model.weights.map((weight) => weight.read());
          model.dispose();
          tf.dispose(tensors);
          disposeOptimizer(tf, optimizer);
        }
      }),
  };
}

function trainOnBatches(spec: ModelSpec): (run: ModelRun) => Promise<number[]> {
  return async ({ tf, model, steps }) => {
    const losses: number[] = [];
    for (let step = 0; step < steps; step++) {
      if (spec.data === undefined) throw new Error(`${spec.name}: has neither data nor run`);
      const { xs, ys } = spec.data(tf, step);
      losses.push(...[await model.trainOnBatch(xs, ys)].flat());
      tf.dispose([xs, ys]);
    }
    return losses;
  };
}

export interface CustomRun<V extends string> {
  readonly tf: TensorFlow;
  readonly variables: Readonly<Record<V, Variable>>;
  readonly optimizer: Optimizer;
  readonly steps: number;
  readonly report: (name: string, tensor: Tensor) => void;
}

export interface CustomSpec<V extends string> extends CaseHead {
  /** Shapes of the variables; their values are uniform in ±0.5, seeded by name. */
  readonly variables: Readonly<Record<V, readonly number[]>>;
  readonly optimizer?: (tf: TensorFlow) => Optimizer;
  /** Trains and returns the losses; or `loss`, which is minimized once per step. */
  readonly run?: (run: CustomRun<V>) => Promise<number[]>;
  readonly loss?: (tf: TensorFlow, variables: Readonly<Record<V, Variable>>, step: number) => Tensor;
  readonly unseeded?: boolean;
}

export function customCase<V extends string>(spec: CustomSpec<V>): ConformanceCase {
  return {
    ...head(spec),
    train: (tf, steps) =>
      withSeededRandom(spec.unseeded === true, async () => {
        const shapes = Object.entries<readonly number[]>(spec.variables);
        const entries = shapes.map(([name, shape]) => {
          const initial = uniform(tf, name, shape, 0.5);
          const variable = tf.variable(initial);
          initial.dispose();
          return [name, variable] as const;
        });
        const variables = Object.fromEntries(entries) as Record<V, Variable>;
        const optimizer = spec.optimizer?.(tf) ?? tf.train.sgd(0.1);
        const reported: NamedTensorMap = {};
        const report = (name: string, tensor: Tensor): void => void (reported[name] = tensor);
        try {
          const losses = await (spec.run ?? minimizeLoss(spec))({ tf, variables, optimizer, steps, report });
          return { losses, weights: await readBits(tf, [...entries, ...Object.entries(reported)], [optimizer]) };
        } finally {
          tf.dispose(reported);
          for (const [, variable] of entries) variable.dispose();
          disposeOptimizer(tf, optimizer);
        }
      }),
  };
}

function minimizeLoss<V extends string>(spec: CustomSpec<V>): (run: CustomRun<V>) => Promise<number[]> {
  return async ({ tf, variables, optimizer, steps }) => {
    const losses: number[] = [];
    for (let step = 0; step < steps; step++) {
      if (spec.loss === undefined) throw new Error(`${spec.name}: has neither loss nor run`);
      const { loss } = spec;
      losses.push(await readScalar(optimizer.minimize(() => loss(tf, variables, step).asScalar(), true)));
    }
    return losses;
  };
}

/** The value of a loss, which is disposed. */
export async function readScalar(scalar: Scalar | Tensor | null): Promise<number> {
  if (scalar === null) throw new Error("expected a loss, got null");
  const [value] = await scalar.data();
  scalar.dispose();
  if (value === undefined) throw new Error("expected a scalar, got an empty tensor");
  return value;
}

/** Bit patterns of tensors, and of the state of optimizers. */
export async function readBits(
  tf: TensorFlow,
  tensors: readonly (readonly [string, Tensor])[],
  optimizers: readonly Optimizer[],
): Promise<TrainResult["weights"]> {
  const weights: TrainResult["weights"] = [];
  for (const [name, tensor] of tensors) weights.push({ name, bits: await bitsOf(tensor) });
  for (const [i, optimizer] of optimizers.entries()) {
    for (const [name, tensor] of optimizerState(tf, optimizer)) {
      weights.push({ name: `optimizer${i}/${name}`, bits: await bitsOf(tensor) });
    }
  }
  return weights;
}

/**
 * All tensors that an optimizer holds. `getWeights` would not do: it is missing on Adamax, leaves out Adam's powers of beta,
 * and makes a tensor of its own.
 */
function optimizerState(tf: TensorFlow, optimizer: Optimizer): [string, Tensor][] {
  return Object.entries(optimizer).flatMap(([name, value]: [string, unknown]): [string, Tensor][] => {
    if (value instanceof tf.Tensor) return [[name, value]];
    if (!Array.isArray(value)) return [];
    return value.flatMap((slot: { variable?: Tensor }, i): [string, Tensor][] =>
      slot?.variable instanceof tf.Tensor ? [[`${name}/${i}`, slot.variable]] : [],
    );
  });
}

/** Disposes an optimizer and what its own `dispose` forgets: momentum leaves the learning rate behind. */
export function disposeOptimizer(tf: TensorFlow, optimizer: Optimizer): void {
  optimizer.dispose();
  for (const [, tensor] of optimizerState(tf, optimizer)) tensor.dispose();
}

async function bitsOf(tensor: Tensor): Promise<Uint32Array> {
  const values = await tensor.data();
  const words = tensor.dtype === "bool" ? Int32Array.from(values) : values;
  return new Uint32Array(words.buffer, words.byteOffset, words.length).slice();
}

function head(spec: CaseHead): CaseHead {
  const { name, cost, unsupported } = spec;
  return unsupported === undefined ? { name, cost } : { name, cost, unsupported };
}

/**
 * Runs `body` with a seeded `Math.random`: throughout if `always`, else only inside the function that `body` is given. The
 * real one is restored in every case.
 */
async function withSeededRandom<R>(
  always: boolean,
  body: (seeded: <T>(action: () => T) => T) => Promise<R>,
): Promise<R> {
  const original = Math.random;
  const random = mulberry32(20160712);
  const seeded = <T>(action: () => T): T => {
    const outer = Math.random;
    Math.random = random;
    try {
      return action();
    } finally {
      Math.random = outer;
    }
  };
  if (!always) return body(seeded);
  Math.random = random;
  try {
    return await body(seeded);
  } finally {
    Math.random = original;
  }
}
