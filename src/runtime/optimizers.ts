/**
 * Optimizer updates, seen and made lean. Every optimizer's `applyGradients` becomes the end of an iteration. Adam and Adamax,
 * which in stock TF.js update all variables inside one scope and so hold every temporary of every variable at once, run here
 * with one scope per variable: the same kernels on the same values in the same order.
 */
import type { TensorFlow } from "./engine.ts";
import type * as tfjs from "@tensorflow/tfjs";

type Gradients = Record<string, tfjs.Tensor> | { readonly name: string; readonly tensor: tfjs.Tensor | null }[];
type ApplyGradients = (this: object, gradients: Gradients) => void;

interface Slot {
  readonly originalName: string;
  readonly variable: tfjs.Variable;
}

type Slots = (Slot | undefined)[];

interface AdamLike {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly accBeta1: tfjs.Variable;
  incrementIterations(): void;
}

interface AdamState extends AdamLike {
  readonly accBeta2: tfjs.Variable;
  readonly accumulatedFirstMoment: Slots;
  readonly accumulatedSecondMoment: Slots;
}

interface AdamaxState extends AdamLike {
  readonly decay: number;
  readonly iteration: tfjs.Variable;
  readonly accumulatedFirstMoment: Slots;
  readonly accumulatedWeightedInfNorm: Slots;
}

export interface OptimizerHooks {
  /** Wraps a whole update. */
  readonly update: (gradients: Gradients, apply: () => void) => void;
  /** Wraps the update of one variable, where vdnn runs it. Null leaves the updates themselves as in stock TF.js. */
  readonly variable: ((name: string, apply: () => void) => void) | null;
}

type UpdateVariable = (name: string, apply: () => void) => void;

const OPTIMIZERS = [
  "SGDOptimizer",
  "MomentumOptimizer",
  "RMSPropOptimizer",
  "AdagradOptimizer",
  "AdadeltaOptimizer",
  "AdamOptimizer",
  "AdamaxOptimizer",
] as const;

/** Patches the optimizer classes of this TF.js; returns the function that undoes it. */
export function interceptOptimizers(tf: TensorFlow, hooks: OptimizerHooks): () => void {
  const undo: (() => void)[] = [];
  for (const name of OPTIMIZERS) {
    const prototype = (tf as unknown as Record<string, { prototype: { applyGradients: ApplyGradients } } | undefined>)[
      name
    ]?.prototype;
    // Momentum inherits from SGD: only a class's own method is wrapped, so an update is entered once.
    if (prototype === undefined || !Object.hasOwn(prototype, "applyGradients")) continue;
    const stock = prototype.applyGradients;
    const lean = (hooks.variable === null ? null : leanUpdate(tf, name, hooks.variable)) ?? stock;
    prototype.applyGradients = function applyGradients(gradients) {
      hooks.update(gradients, () => lean.call(this, gradients));
    };
    undo.push(() => {
      prototype.applyGradients = stock;
    });
  }
  return () => undo.forEach((restore) => restore());
}

function leanUpdate(tf: TensorFlow, name: string, within: UpdateVariable): ApplyGradients | null {
  if (name === "AdamOptimizer") {
    return function adam(gradients) {
      applyAdam(tf, this as unknown as AdamState, gradients, within);
    };
  }
  if (name === "AdamaxOptimizer") {
    return function adamax(gradients) {
      applyAdamax(tf, this as unknown as AdamaxState, gradients, within);
    };
  }
  return null;
}

/**
 * Runs an update variable by variable, in the optimizer's own order.
 *
 * @param second where the second slot of each variable is
 * @param step what is added to a variable that has a gradient, having assigned its slots
 */
function eachVariable(
  tf: TensorFlow,
  optimizer: Pick<AdamState, "accumulatedFirstMoment">,
  second: Slots,
  gradients: Gradients,
  within: UpdateVariable,
  step: (first: tfjs.Variable, second: tfjs.Variable, gradient: tfjs.Tensor) => tfjs.Tensor,
): void {
  const list = Array.isArray(gradients)
    ? gradients
    : Object.entries(gradients).map(([name, tensor]) => ({ name, tensor }));
  for (const [i, { name, tensor }] of list.entries()) {
    // Its place in the list names its slots.
    const value = tf.engine().registeredVariables[name] as tfjs.Variable;
    within(value.name, () => {
      const slots = [
        slot(tf, optimizer.accumulatedFirstMoment, i, value, "m"),
        slot(tf, second, i, value, "v"),
      ] as const;
      if (tensor !== null && tensor !== undefined) tf.tidy(() => value.assign(tf.add(step(...slots, tensor), value)));
    });
  }
}

function slot(
  tf: TensorFlow,
  slots: (Slot | undefined)[],
  i: number,
  value: tfjs.Variable,
  suffix: string,
): tfjs.Variable {
  slots[i] ??= {
    originalName: `${value.name}/${suffix}`,
    variable: tf.tidy(() => tf.zerosLike(value).variable(false)),
  };
  return slots[i].variable;
}

function applyAdam(tf: TensorFlow, adam: AdamState, gradients: Gradients, within: UpdateVariable): void {
  const { add, div, mul, sqrt, square, sub } = tf;
  tf.tidy(() => {
    const oneMinusAccBeta1 = sub(1, adam.accBeta1);
    const oneMinusAccBeta2 = sub(1, adam.accBeta2);
    eachVariable(tf, adam, adam.accumulatedSecondMoment, gradients, within, (first, second, gradient) => {
      const newFirst = add(mul(first, adam.beta1), mul(gradient, 1 - adam.beta1));
      const newSecond = add(mul(second, adam.beta2), mul(square(gradient), 1 - adam.beta2));
      const correctedFirst = div(newFirst, oneMinusAccBeta1);
      const correctedSecond = div(newSecond, oneMinusAccBeta2);
      first.assign(newFirst);
      second.assign(newSecond);
      return mul(div(correctedFirst, add(sqrt(correctedSecond), adam.epsilon)), -adam.learningRate);
    });
    adam.accBeta1.assign(mul(adam.accBeta1, adam.beta1));
    adam.accBeta2.assign(mul(adam.accBeta2, adam.beta2));
  });
  adam.incrementIterations();
}

function applyAdamax(tf: TensorFlow, adamax: AdamaxState, gradients: Gradients, within: UpdateVariable): void {
  const { abs, add, div, maximum, mul, sub } = tf;
  tf.tidy(() => {
    const oneMinusAccBeta1 = sub(1, adamax.accBeta1);
    const rate = div(-adamax.learningRate, add(mul(adamax.iteration, adamax.decay), 1));
    eachVariable(tf, adamax, adamax.accumulatedWeightedInfNorm, gradients, within, (first, norm, gradient) => {
      const newFirst = add(mul(first, adamax.beta1), mul(gradient, 1 - adamax.beta1));
      const decayed = mul(norm, adamax.beta2);
      const newNorm = maximum(decayed, abs(gradient));
      first.assign(newFirst);
      norm.assign(newNorm);
      return mul(div(rate, oneMinusAccBeta1), div(newFirst, add(newNorm, adamax.epsilon)));
    });
    adamax.iteration.assign(add(adamax.iteration, 1));
    adamax.accBeta1.assign(mul(adamax.accBeta1, adamax.beta1));
  });
  adamax.incrementIterations();
}
