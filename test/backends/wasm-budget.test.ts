/** A budget on the wasm backend holds for the temporaries of kernels that are built from others, before any plan knows them. */
import type * as tfjs from "@tensorflow/tfjs";
import { beforeAll, expect, test } from "vitest";
import { loadTensorFlow } from "../../src/backends/load.ts";
import { virtualize } from "../../src/platforms/node.ts";

let tf: typeof tfjs;

beforeAll(async () => {
  ({ tf } = await loadTensorFlow("wasm"));
});

/**
 * The filter gradient of a depthwise convolution transposes both of its inputs: two feature maps that nothing announced. It runs
 * early in the backward pass, with the device full of what `square` saved.
 */
function gradient(): tfjs.Tensor {
  return tf.tidy(() => {
    const of = tf.grads((x, filter) => {
      let y = x as tfjs.Tensor4D;
      for (let i = 0; i < 12; i++) y = tf.square(y);
      return tf.depthwiseConv2d(y, filter as tfjs.Tensor4D, 1, "same");
    });
    return of([tf.mul(tf.ones([4, 16, 16, 16]), 0.99), tf.ones([3, 3, 16, 1])])[1] as tfjs.Tensor;
  });
}

test("no moment of the first iteration is over the budget", async () => {
  const mapBytes = 4 * 16 * 16 * 16 * 4;
  for (const maps of [7, 8, 9, 10, 11, 12]) {
    const session = await virtualize(tf, { policy: "vdnn-all", deviceMemory: maps * mapBytes });
    gradient().dispose();
    const { iterations } = session.report();
    await session.dispose();
    expect(iterations[0]?.mode).toBe("recorded");
    expect(iterations[0]?.peakDeviceBytes).toBeLessThanOrEqual(maps * mapBytes);
    expect(iterations[0]?.offloadBytes).toBeGreaterThan(0);
  }
});
