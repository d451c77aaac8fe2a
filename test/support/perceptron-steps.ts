/** Steps of the perceptron in a session, and what runs in the middle of one. */
import type { Scalar } from "@tensorflow/tfjs";
import type { TensorFlow } from "../../src/networks/network.ts";
import { virtualize } from "../../src/platforms/node.ts";
import type { VirtualizeOptions } from "../../src/runtime/options.ts";
import type { Session } from "../../src/runtime/session.ts";
import { type Perceptron, perceptron } from "./perceptron.ts";

/** Works in a session that is disposed afterwards. */
export async function within<T>(
  tf: TensorFlow,
  options: VirtualizeOptions,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const session = await virtualize(tf, options);
  try {
    return await work(session);
  } finally {
    await session.dispose();
  }
}

export function step(session: Session, net: Perceptron, loss: () => Scalar = net.loss): Promise<Scalar | null> {
  return session.minimize(net.optimizer, loss, false, net.weights);
}

/** The weights after so many steps of stock TensorFlow.js, to the bit. */
export async function stockBits(tf: TensorFlow, steps: number): Promise<string> {
  const net = perceptron(tf);
  for (let i = 0; i < steps; i++) net.optimizer.minimize(net.loss, false, net.weights);
  const bits = await net.bits();
  net.dispose();
  return bits;
}

/** Runs `act` once, when the step that has begun last has begun to wait. */
export function inTheMiddle(act: () => void): Promise<void> {
  return new Promise((done, failed) => {
    setImmediate(() => {
      try {
        act();
        done();
      } catch (error) {
        failed(error);
      }
    });
  });
}
