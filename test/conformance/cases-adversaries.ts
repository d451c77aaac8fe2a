/** Two networks trained against each other, which `customCase` with its one optimizer cannot say. */
import type { ConformanceCase } from "./case.ts";
import { asScalar, eachStep, forward } from "./cases-gradients.ts";
import { uniform } from "./samples.ts";
import { disposeOptimizer, readBits, readScalar } from "./training.ts";

/** Two players, each with its own optimizer, that take turns: a generator and a critic of least squares. */
export const adversaries: ConformanceCase = {
  name: "trains a generator and a critic in turns with two optimizers",
  cost: "tiny",
  async train(tf, steps) {
    const variable = (key: string, shape: number[]) => {
      const initial = uniform(tf, key, shape, 0.5);
      const made = tf.variable(initial);
      initial.dispose();
      return made;
    };
    const generator = { w1: variable("g1", [3, 8]), w2: variable("g2", [8, 4]) };
    const critic = { w1: variable("c1", [4, 8]), w2: variable("c2", [8, 1]) };
    const generatorOptimizer = tf.train.adam(0.02);
    const criticOptimizer = tf.train.rmsprop(0.02);
    const losses = await eachStep({ tf, steps }, async (real, step) => {
      const noise = uniform(tf, `noise${step}`, [6, 3]);
      const fake = () => forward(noise, generator);
      const criticLoss = criticOptimizer.minimize(
        () => asScalar(forward(real, critic).sub(1).square().mean().add(forward(fake(), critic).square().mean())),
        true,
        Object.values(critic),
      );
      const generatorLoss = generatorOptimizer.minimize(
        () => asScalar(forward(fake(), critic).sub(1).square().mean()),
        true,
        Object.values(generator),
      );
      noise.dispose();
      return (await readScalar(criticLoss)) + (await readScalar(generatorLoss));
    });
    const named = [...Object.entries(generator), ...Object.entries(critic)].map(
      ([name, weight], i) => [`${i}/${name}`, weight] as const,
    );
    const weights = await readBits(tf, named, [generatorOptimizer, criticOptimizer]);
    for (const [, weight] of named) weight.dispose();
    for (const optimizer of [generatorOptimizer, criticOptimizer]) disposeOptimizer(tf, optimizer);
    return { losses, weights };
  },
};
