/** Kernels that tfjs-node builds from others hold several tensors at once, and a budget knows before they run. */
import type * as tfjs from "@tensorflow/tfjs";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { loadTensorFlow } from "../../src/backends/load.ts";
import { virtualize } from "../../src/platforms/node.ts";
import type { Session } from "../../src/runtime/session.ts";

const ROWS = 512;
const MAP_BYTES = ROWS * 256 * 4;

let tf: typeof tfjs;
let session: Session | null = null;

beforeAll(async () => {
  ({ tf } = await loadTensorFlow("tensorflow"));
});

afterEach(async () => {
  await session?.dispose();
  session = null;
});

/** Product, sum with the bias, and relu of it: three feature maps, beside the input and the weights. */
function fused(): void {
  tf.tidy(() => {
    const [a, b, bias] = [tf.ones([ROWS, 64]), tf.ones([64, 256]), tf.ones([256])] as [
      tfjs.Tensor2D,
      tfjs.Tensor2D,
      tfjs.Tensor1D,
    ];
    tf.fused.matMul({ a, b, bias, activation: "relu" }).dataSync();
  });
}

describe("a fused matrix product on tfjs-node", () => {
  const operandBytes = (ROWS * 64 + 64 * 256 + 256) * 4;

  test("stays within a budget that holds it", async () => {
    const budget = operandBytes + 3 * MAP_BYTES;
    session = await virtualize(tf, { deviceMemory: budget });
    fused();
    expect(session.report().peakDeviceBytes).toBeLessThanOrEqual(budget);
    expect(session.report().peakDeviceBytes).toBeGreaterThan(operandBytes + 2 * MAP_BYTES);
  });

  test("is refused before it runs where the budget does not", async () => {
    session = await virtualize(tf, { deviceMemory: operandBytes + 2.5 * MAP_BYTES });
    expect(fused).toThrow(expect.objectContaining({ code: "ERR_OUT_OF_MEMORY" }));
    expect(session.report().peakDeviceBytes).toBeLessThanOrEqual(operandBytes + MAP_BYTES);
  });
});
