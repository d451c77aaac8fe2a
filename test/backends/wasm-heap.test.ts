/** A WebAssembly heap that is full. It is made small by an allocator that refuses beyond a limit, as malloc does at 4 GiB. */
import { beforeAll, describe, expect, test } from "vitest";
import { loadTensorFlow } from "../../src/backends/load.ts";
import { findNetwork } from "../../src/networks/index.ts";
import type { TensorFlow } from "../../src/runtime/engine.ts";
import { virtualize } from "../../src/platforms/node.ts";
import { MIB } from "../../src/units.ts";

interface Heap {
  _malloc(bytes: number): number;
  _free(address: number): void;
}

let tf: TensorFlow;

beforeAll(async () => {
  ({ tf } = await loadTensorFlow("wasm"));
});

/** Returns the function that lifts the limit. */
function limitHeap(bytes: number): () => void {
  const { wasm } = tf.backend() as unknown as { wasm: Heap };
  const { _malloc: malloc, _free: free } = wasm;
  const sizes = new Map<number, number>();
  let used = 0;
  wasm._malloc = (size) => {
    if (used + size > bytes) return 0;
    const address = malloc(size);
    sizes.set(address, size);
    used += size;
    return address;
  };
  wasm._free = (address) => {
    used -= sizes.get(address) ?? 0;
    sizes.delete(address);
    free(address);
  };
  return () => Object.assign(wasm, { _malloc: malloc, _free: free });
}

async function train(): Promise<{ readonly losses: number[]; readonly weights: number[][] }> {
  const network = findNetwork("chain");
  const model = network.build(tf, { depth: 12, imageSize: 16, width: 8 });
  model.compile({ optimizer: tf.train.sgd(0.05), loss: network.loss });
  const { xs, ys } = network.batch(tf, model, 16, 7);
  try {
    const losses: number[] = [];
    for (let step = 0; step < 3; step++) losses.push((await model.trainOnBatch(xs, ys)) as number);
    return { losses, weights: model.getWeights().map((weight) => [...weight.dataSync()]) };
  } finally {
    model.dispose();
    tf.dispose([xs, ys]);
  }
}

describe("a full WebAssembly heap", () => {
  test("makes others leave, and training goes on with stock's numbers", async () => {
    const stock = await train();
    const lift = limitHeap(1.2 * MIB);
    const session = await virtualize(tf, { policy: "vdnn-dyn" });
    try {
      expect(await train()).toEqual(stock);
      expect(session.report().warnings[0]).toMatch(/own allocator refused/);
    } finally {
      await session.dispose();
      lift();
    }
  });

  test("is ERR_OUT_OF_MEMORY where nothing may leave, and the heap stays whole", async () => {
    const stock = await train();
    const lift = limitHeap(1.2 * MIB);
    const session = await virtualize(tf, { policy: "liveness" });
    try {
      await expect(train()).rejects.toMatchObject({ code: "ERR_OUT_OF_MEMORY", cause: expect.any(Error) });
    } finally {
      await session.dispose();
      lift();
    }
    expect(await train()).toEqual(stock);
  });

  test("keeps a session attached whose data has no place to come back to, until some of it is disposed", async () => {
    const lift = limitHeap(3.5 * MIB);
    const session = await virtualize(tf, { policy: "vdnn-all", deviceMemory: 3 * MIB });
    const tensors = [1, 2, 3, 4].map((value) => tf.scalar(value).broadcastTo([256, 1024]));
    try {
      await expect(session.dispose()).rejects.toMatchObject({ code: "ERR_OUT_OF_MEMORY" });
      expect(tensors.map((tensor) => tensor.dataSync()[7])).toEqual([1, 2, 3, 4]);
      tensors.pop()?.dispose();
      await session.dispose();
      expect(tensors.map((tensor) => tensor.dataSync()[7])).toEqual([1, 2, 3]);
      await (await virtualize(tf, {})).dispose();
    } finally {
      tf.dispose(tensors);
      lift();
    }
  });
});
