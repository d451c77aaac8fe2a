/** Training that is watched from outside while the tab is hidden or frozen: each step says on the console where it is. */
import * as tf from "@tensorflow/tfjs";
import { virtualize, type VirtualizeOptions } from "../../../src/browser.ts";
import { type Backend, startBackend } from "./backend.ts";

/** What waits between steps: `fit` for the next frame, as TensorFlow.js has it; a loop that awaits `minimize` for nothing else. */
export type Loop = "fit" | "minimize";

interface Watched {
  /** Every weight has the bits of stock. */
  readonly isEqual: boolean;
  /** Bytes that left the device, in all steps. */
  readonly offloadBytes: number;
}

/** What happens to a page that is hidden, or frozen. */
export type PageEvent = "visibilitychange" | "freeze";

interface Page {
  addEventListener(type: PageEvent, listener: () => void, options: { readonly once: true }): void;
}

interface MappedBuffer {
  mapAsync(this: object, ...args: unknown[]): Promise<void>;
}

/** Enough to record, to follow a plan that is timed, and to follow the one that is made with those times. */
const STEPS = 6;
/** This one follows a plan for the second time. */
const WATCHED_STEP = 2;
const BATCH = 64;
const WIDTH = 48;
const LAYERS = 6;

interface Observer {
  /** Awaited before the step. */
  begins(step: number): Promise<void>;
  ends(step: number): void;
}

const NOBODY: Observer = { begins: () => Promise.resolve(), ends: () => undefined };

export const hiding = {
  /**
   * Trains by stock, then under vdnn, which it announces: `step 0 began`, `step 0 ended` and so on.
   * @param until step 2 lasts until this happens to the page: on webgpu what `minimize` reads from the device arrives after it,
   *   else the step begins after it
   */
  async trainWatched(
    backend: Backend,
    loop: Loop,
    options: VirtualizeOptions,
    until: PageEvent | null,
  ): Promise<Watched> {
    await startBackend(backend);
    const expected = await train(loop, NOBODY, (optimizer, loss) => Promise.resolve(optimizer.minimize(loss)));
    const session = await virtualize(tf, { policy: "vdnn-all", ...options });
    let release = (): void => undefined;
    const observer: Observer = {
      async begins(step) {
        const happened = step === WATCHED_STEP && until !== null ? eventOf(until) : Promise.resolve();
        const isHeldInside = backend === "webgpu" && loop === "minimize";
        if (isHeldInside) release = holdReads(happened);
        console.info(`step ${step} began`);
        if (!isHeldInside) await happened;
      },
      ends(step) {
        release();
        console.info(`step ${step} ended`);
      },
    };
    try {
      const found = await train(loop, observer, (optimizer, loss) => session.minimize(optimizer, loss));
      const offloadBytes = session.report().iterations.reduce((sum, iteration) => sum + iteration.offloadBytes, 0);
      return { isEqual: found === expected, offloadBytes };
    } finally {
      await session.dispose();
    }
  },
};

function eventOf(type: PageEvent): Promise<void> {
  const { document } = globalThis as unknown as { readonly document: Page };
  return new Promise((resolve) => document.addEventListener(type, resolve, { once: true }));
}

/** Returns what ends it. */
function holdReads(happened: Promise<void>): () => void {
  const { GPUBuffer } = globalThis as unknown as { readonly GPUBuffer: { readonly prototype: MappedBuffer } };
  const { prototype } = GPUBuffer;
  const { mapAsync } = prototype;
  prototype.mapAsync = async function (...args) {
    await mapAsync.apply(this, args);
    await happened;
  };
  return () => {
    prototype.mapAsync = mapAsync;
  };
}

type Minimize = (optimizer: tf.Optimizer, loss: () => tf.Scalar) => Promise<unknown>;

/** Returns the bits of the weights. */
async function train(loop: Loop, observer: Observer, minimize: Minimize): Promise<string> {
  const model = tf.sequential();
  for (let layer = 0; layer < LAYERS; layer++) {
    const kernelInitializer = tf.initializers.glorotUniform({ seed: layer + 1 });
    model.add(tf.layers.dense({ units: WIDTH, inputShape: [WIDTH], activation: "tanh", kernelInitializer }));
  }
  const optimizer = tf.train.momentum(0.05, 0.9);
  model.compile({ optimizer, loss: "meanSquaredError" });
  const xs = tf.randomUniform([BATCH, WIDTH], -1, 1, "float32", 7);
  try {
    if (loop === "fit") await fit(model, xs, observer);
    else {
      for (let step = 0; step < STEPS; step++) {
        await observer.begins(step);
        await minimize(optimizer, () =>
          tf.mean(tf.square(tf.sub(model.apply(xs, { training: true }) as tf.Tensor, xs))),
        );
        observer.ends(step);
      }
    }
    const values = await Promise.all(model.weights.map((weight) => weight.read().data()));
    return values.map((value) => new Uint32Array(value.slice().buffer).join()).join("/");
  } finally {
    model.dispose();
    optimizer.dispose();
    xs.dispose();
  }
}

async function fit(model: tf.LayersModel, xs: tf.Tensor, observer: Observer): Promise<void> {
  let step = 0;
  await model.fit(xs, xs, {
    batchSize: BATCH,
    epochs: STEPS,
    shuffle: false,
    yieldEvery: "batch",
    callbacks: {
      onBatchBegin: () => observer.begins(step),
      onBatchEnd: () => observer.ends(step++),
    },
  });
}
