/** Other ways to take gradients, and training loops that do more than minimize one loss over one graph. */
import type { NamedTensorMap, Scalar, Tensor, Tensor4D, Variable } from "@tensorflow/tfjs";
import type { TensorFlow } from "../../src/networks/network.ts";
import type { ConformanceCase } from "./case.ts";
import { uniform } from "./samples.ts";
import { customCase, readScalar, type CustomRun } from "./training.ts";

export const asScalar = (tensor: Tensor): Scalar => tensor.asScalar();

/** Calls `body` once per step with that step's `x` [6, 4], and disposes `x` after it. */
export async function eachStep(
  { tf, steps }: { tf: TensorFlow; steps: number },
  body: (x: Tensor, step: number) => Promise<number>,
): Promise<number[]> {
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    const x = uniform(tf, `x${step}`, [6, 4]);
    losses.push(await body(x, step));
    x.dispose();
  }
  return losses;
}

type Hidden = "w1" | "w2";
const hidden = { w1: [4, 8], w2: [8, 1] } as const;
export const forward = (x: Tensor, { w1, w2 }: Readonly<Record<Hidden, Tensor>>): Tensor =>
  x.matMul(w1).tanh().matMul(w2);

/** Minimizes with a call of its own in place of `optimizer.minimize`. */
const loopCase = (
  name: string,
  step: (run: CustomRun<Hidden>, x: Tensor, index: number) => Promise<number>,
): ConformanceCase =>
  customCase({ name, cost: "tiny", variables: hidden, run: (run) => eachStep(run, (x, i) => step(run, x, i)) });

const apiCases: readonly ConformanceCase[] = [
  loopCase("takes variableGrads and applies them", async ({ tf, variables, optimizer }, x) => {
    const { value, grads } = tf.variableGrads(() => asScalar(forward(x, variables).square().mean()));
    optimizer.applyGradients(grads);
    tf.dispose(grads);
    return readScalar(value);
  }),
  loopCase("takes variableGrads of some variables only", async ({ tf, variables, optimizer }, x) => {
    const { value, grads } = tf.variableGrads(() => asScalar(forward(x, variables).square().mean()), [variables.w2]);
    optimizer.applyGradients(grads);
    tf.dispose(grads);
    return readScalar(value);
  }),
  loopCase("minimizes over a list of variables in two phases", async ({ variables, optimizer }, x, step) => {
    const loss = () => asScalar(forward(x, variables).sub(1).square().mean());
    const list = step % 2 === 0 ? [variables.w1] : [variables.w2];
    return readScalar(optimizer.minimize(loss, true, list));
  }),
  loopCase("takes tf.grads and valueAndGrads and assigns by hand", async ({ tf, variables }, x) => {
    const { w1, w2 } = variables;
    const loss = (a: Tensor, b: Tensor) => asScalar(forward(x, { w1: a, w2: b }).square().mean());
    const { value, grads } = tf.valueAndGrads((a: Tensor, b: Tensor) => loss(a, b))([w1, w2]);
    const again = tf.grads(loss)([w1, w2]);
    const [g1, g2] = grads;
    const [, h2] = again;
    if (g1 === undefined || g2 === undefined || h2 === undefined) throw new Error("expected two gradients");
    tf.tidy(() => {
      w1.assign(w1.sub(g1.mul(0.1)));
      w2.assign(w2.sub(g2.add(h2).mul(0.05)));
    });
    tf.dispose([grads, again]);
    return readScalar(value);
  }),
  loopCase("takes gradients with respect to an input", async ({ tf, variables, optimizer, report }, x, step) => {
    report(`dx${step}`, tf.grad((input: Tensor) => forward(input, variables).square().sum())(x));
    const dy = uniform(tf, `dy${step}`, [6, 1]);
    report(`dxdy${step}`, tf.grad((input: Tensor) => forward(input, variables))(x, dy));
    dy.dispose();
    return readScalar(optimizer.minimize(() => asScalar(forward(x, variables).square().mean()), true));
  }),
  loopCase("takes second-order gradients for a gradient penalty", async ({ tf, variables, optimizer }, x) =>
    readScalar(
      optimizer.minimize(() => {
        const slope = tf.grad((input: Tensor) => forward(input, variables).sum())(x);
        const penalty = slope.square().sum(1).add(1e-8).sqrt().sub(1).square().mean();
        return asScalar(forward(x, variables).mean().add(penalty.mul(10)));
      }, true),
    ),
  ),
  loopCase("accumulates gradients over two batches", async ({ tf, variables, optimizer }, x, step) => {
    const other = uniform(tf, `other${step}`, [3, 4]);
    const [first, second] = [x, other].map((batch) =>
      tf.variableGrads(() => asScalar(forward(batch, variables).square().mean())),
    );
    if (first === undefined || second === undefined) throw new Error("expected two batches");
    const sums: NamedTensorMap = tf.tidy(() =>
      Object.fromEntries(
        Object.entries(first.grads).map(([name, grad]) => [name, grad.add(second.grads[name] ?? 0).div(2)]),
      ),
    );
    optimizer.applyGradients(sums);
    tf.dispose([first.grads, second.grads, sums, second.value, other]);
    return readScalar(first.value);
  }),
  loopCase("keeps activations that a loss captured", async ({ tf, variables, optimizer, report }, x, step) => {
    const loss = optimizer.minimize(() => {
      const activation = x.matMul(variables.w1).relu();
      report(`activation${step}`, tf.keep(activation));
      return asScalar(activation.matMul(variables.w2).square().mean());
    }, true);
    return readScalar(loss);
  }),
  loopCase("reads values synchronously in the midst of the forward pass", async ({ variables, optimizer }, x) =>
    readScalar(
      optimizer.minimize(() => {
        const y = x.matMul(variables.w1).sigmoid();
        const [largest = 1] = y.max().dataSync();
        return asScalar(y.div(largest).matMul(variables.w2).square().mean());
      }, true),
    ),
  ),
  loopCase(
    "reads tensors again that earlier steps have made",
    async ({ tf, variables, optimizer, report }, x, step) => {
      const memory = tf.keep(tf.tidy(() => x.matMul(variables.w1).relu()));
      report(`memory${step}`, memory);
      return readScalar(
        optimizer.minimize(() => {
          const recalled = memory.mul(0.5).add(x.matMul(variables.w1).relu());
          return asScalar(recalled.matMul(variables.w2).sub(memory.mean()).square().mean());
        }, true),
      );
    },
  ),
  loopCase("goes on after a loss function that throws", async ({ variables, optimizer }, x) => {
    try {
      // It throws before its first op: stock leaks what a pass has saved by the time it fails.
      optimizer.minimize(() => {
        throw new Error("on purpose");
      });
    } catch (error) {
      if ((error as Error).message !== "on purpose") throw error;
    }
    return readScalar(optimizer.minimize(() => asScalar(forward(x, variables).square().mean()), true));
  }),
];

const customGradientCases: readonly ConformanceCase[] = [
  loopCase("uses customGrad that saves tensors", async ({ tf, variables, optimizer }, x) => {
    const halfSquare = tf.customGrad((input, save) => {
      const a = input as Tensor;
      (save as (tensors: Tensor[]) => void)([a]);
      return { value: a.square(), gradFunc: (dy: Tensor, saved: Tensor[]) => dy.mul(saved[0] ?? 1) };
    });
    return readScalar(optimizer.minimize(() => asScalar(halfSquare(forward(x, variables)).mean()), true));
  }),
  loopCase("uses customGrad that closes over a tensor", async ({ tf, variables, optimizer }, x) => {
    const kept: Tensor[] = [];
    const loss = optimizer.minimize(() => {
      const scale = x.matMul(variables.w1).sigmoid().mean(1, true);
      // Stock disposes what a forward pass has made and not saved, so a closure must keep what its gradient reads.
      kept.push(tf.keep(scale));
      const scaled = tf.customGrad((input) => {
        const a = input as Tensor;
        return { value: a.mul(scale), gradFunc: (dy: Tensor) => dy.mul(scale).clipByValue(-0.5, 0.5) };
      });
      return asScalar(scaled(forward(x, variables)).square().mean());
    }, true);
    tf.dispose(kept);
    return readScalar(loss);
  }),
];

const dynamicCases: readonly ConformanceCase[] = [
  customCase({
    name: "trains a graph whose depth changes from step to step",
    cost: "tiny",
    variables: { a: [4, 4], b: [4, 4], c: [4, 4] },
    run: (run) =>
      eachStep(run, async (x, step) => {
        const { a, b, c } = run.variables;
        const used: Variable[] = [[a], [a, b, c], [b, b]][step % 3] ?? [];
        const loss = (): Scalar => {
          let y = x;
          for (const weight of used) y = y.matMul(weight).tanh();
          return asScalar(y.sub(1).square().mean());
        };
        return readScalar(run.optimizer.minimize(loss, true, [...new Set(used)]));
      }),
  }),
  customCase({
    name: "takes gradients of convolutions of convolutions",
    cost: "tiny",
    variables: { k1: [3, 3, 1, 2], k2: [3, 3, 2, 1] },
    loss(tf, { k1, k2 }, step) {
      const x = uniform(tf, `x${step}`, [2, 6, 6, 1]);
      const critic = (input: Tensor): Tensor => {
        const features = tf.conv2d(input as Tensor4D, k1 as unknown as Tensor4D, 1, "same").softplus();
        return tf.conv2d(features, k2 as unknown as Tensor4D, 1, "valid");
      };
      const slope = tf.grad((input: Tensor) => critic(input).sum())(x);
      return critic(x).mean().add(slope.square().mean());
    },
  }),
];

export const gradientCases: readonly ConformanceCase[] = [...apiCases, ...customGradientCases, ...dynamicCases];
