/** What `tf.variableGrads` does around the passes: which variables it takes, what it refuses, what it hands out. */
import type * as tfjs from "@tensorflow/tfjs";
import type { TensorFlow } from "./engine.ts";
import type { Gradients } from "./training-call.ts";

/** The variables that `tf.variableGrads` would take. */
export function trainable(tf: TensorFlow, varList: readonly tfjs.Variable[] | undefined): tfjs.Variable[] {
  const all = varList ?? Object.values<tfjs.Variable>(tf.engine().registeredVariables);
  const variables = all.filter(({ trainable: isTrainable }) => isTrainable);
  if (variables.length > 0) return variables;
  throw new Error(
    `variableGrads() expects at least one of the input variables to be trainable, but none of the ${all.length} variables is trainable.`,
  );
}

export function disposeGradients(tf: TensorFlow, { grads }: Gradients): void {
  tf.dispose(grads.filter((gradient) => gradient !== null) as unknown as tfjs.Tensor[]);
}

export function checkGradients(tf: TensorFlow, gradients: Gradients): void {
  const { grads, value } = gradients;
  const message = grads.every((gradient) => gradient === null)
    ? "Cannot find a connection between any variable and the result of the loss function y=f(x). Please make sure the operations " +
      "that use variables are inside the function f passed to minimize()."
    : value.shape.length > 0
      ? `The f passed in variableGrads(f) must return a scalar, but it returned a rank-${value.shape.length} tensor`
      : null;
  if (message === null) return;
  disposeGradients(tf, gradients);
  throw new Error(message);
}

/** Gradients by variable, null for those that are not trainable, as `tf.variableGrads` returns them. */
export function named(
  variables: readonly tfjs.Variable[],
  varList: readonly tfjs.Variable[] | undefined,
  { grads }: Gradients,
): tfjs.NamedTensorMap {
  const map: Record<string, unknown> = {};
  for (const [i, { name }] of variables.entries()) if ((grads[i] ?? null) !== null) map[name] = grads[i];
  for (const { name, trainable: isTrainable } of varList ?? []) if (!isTrainable) map[name] = null;
  return map as tfjs.NamedTensorMap;
}
