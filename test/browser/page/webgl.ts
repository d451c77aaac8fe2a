/** The webgl adapter from the inside: what moves, what is counted, what is refused. */
import * as tf from "@tensorflow/tfjs";
import { readTexels, type WebGlBackend, writeTexels } from "../../../src/backends/webgl-device.ts";
import { virtualize } from "../../../src/browser.ts";
import { type DataId, engineOf } from "../../../src/runtime/engine.ts";
import { BROWSER_ADAPTERS } from "../../../src/backends/browser-adapters.ts";
import { adapterFor } from "../../../src/backends/index.ts";
import { startBackend } from "./backend.ts";

export interface RoundTrip {
  readonly isPacked: boolean;
  readonly hasSameTexels: boolean;
  readonly hasSameLayout: boolean;
  /** The dataId had no record while it was away. */
  readonly wasAway: boolean;
}

export interface Refusal {
  readonly code: string;
  readonly message: string;
}

export const webgl = {
  /**
   * Sends a tensor of any bits, NaN payloads and denormal numbers among them, away and back.
   *
   * @param readsRed as if textures of one channel could be read as such; the first call in a page decides
   */
  async roundTrip(shape: readonly number[], isPacked: boolean, readsRed: boolean): Promise<RoundTrip> {
    await startBackend("webgl");
    const backend = backendNow();
    const { gl } = backend.gpgpu;
    const stock = gl.getParameter;
    if (!readsRed)
      gl.getParameter = (name) => (name === gl.IMPLEMENTATION_COLOR_READ_FORMAT ? gl.RGBA : stock.call(gl, name));
    const adapter = await adapterFor(engineOf(tf), BROWSER_ADAPTERS);
    const tensor = tf.tidy(() => {
      const x = tf.ones(shape as number[]);
      // Arithmetic leaves its result packed.
      const packed = tf.add(tf.add(x, 1), x);
      if (isPacked) return packed;
      const unpacked = backend.unpackTensor(packed);
      return tf.engine().makeTensorFromTensorInfo(unpacked as never);
    });
    const { dataId } = tensor;
    const record = backend.texData.get(dataId);
    const layout = (): string => {
      const { shape: recorded, dtype, texShape, isPacked: packs, usage, refCount } = backend.texData.get(dataId);
      return JSON.stringify({ recorded, dtype, texShape, packs, usage, refCount });
    };
    const texture = record.texture as NonNullable<typeof record.texture>;
    const bytes = adapter.describe(record)?.bytes ?? 0;
    const bits = Uint32Array.from({ length: bytes / 4 }, (_, i) => BITS[i % BITS.length] ?? 0);
    writeTexels(backend, texture, new Uint8Array(bits.buffer));
    const before = { texels: texelsOf(dataId, bytes), layout: layout(), isPacked: record.isPacked === true };
    const host = new Uint8Array(bytes);
    adapter.copyOut(dataId, host);
    const references = adapter.release(dataId);
    const wasAway = !backend.texData.has(dataId);
    adapter.copyIn(dataId, host, [...shape], "float32", references);
    host.fill(0);
    const after = { texels: texelsOf(dataId, bytes), layout: layout() };
    tensor.dispose();
    Reflect.deleteProperty(gl, "getParameter");
    return {
      isPacked: before.isPacked,
      hasSameTexels: after.texels === before.texels && before.texels === bits.join(),
      hasSameLayout: after.layout === before.layout,
      wasAway,
    };
  },

  /** Bytes that the session counts after each step, beside the textures in use by TensorFlow.js's own lists. */
  async ledger(): Promise<readonly { readonly counted: number; readonly used: number }[]> {
    await startBackend("webgl");
    const found: { counted: number; used: number }[] = [];
    const before = usedBytes();
    const session = await virtualize(tf, { policy: "vdnn-all" });
    const note = (): void => void found.push({ counted: session.deviceBytes, used: usedBytes() - before });
    const x = tf.tidy(() => tf.add(tf.ones([64, 32]), tf.ones([64, 32])));
    note();
    // Rows of an unpacked tensor: stock TensorFlow.js lets slices see its texture.
    const unpacked = tf.tidy(() => tf.maxPool(x.as4D(1, 64, 32, 1), 2, 2, "valid").as2D(32, 16));
    const slices = [...tf.split(unpacked, 4), ...tf.unstack(unpacked), tf.slice(unpacked, 3, 5)];
    note();
    tf.dispose([x, unpacked]);
    note();
    tf.dispose(slices);
    note();
    await session.dispose();
    return found;
  },

  /** Begins to read a tensor, trains meanwhile with everything leaving, uses the tensor, and reads it twice more. */
  async readWhileTraining(): Promise<readonly number[]> {
    await startBackend("webgl");
    const session = await virtualize(tf, { policy: "vdnn-all", adversarial: true });
    const tensor = tf.tidy(() => tf.add(tf.ones([64, 64]), 1));
    const read = tensor.data();
    const trained = trainWeight();
    const next = tf.add(tensor, 1);
    const values = [await read, await tensor.data(), await next.data()];
    await trained;
    tf.dispose([tensor, next]);
    await session.dispose();
    return values.flatMap((each) => [...new Set(each)]);
  },

  async virtualizeHalfFloats(): Promise<Refusal> {
    await startBackend("webgl");
    const flag = "WEBGL_RENDER_FLOAT32_ENABLED";
    tf.env().set(flag, false);
    try {
      return await refusalOf(() => virtualize(tf, {}));
    } finally {
      tf.env().set(flag, true);
    }
  },

  /** Trains while WebGL has no memory for one large texture, then without vdnn. */
  async trainWhenRefused(): Promise<{ readonly isEqual: boolean; readonly warnings: readonly string[] }> {
    await startBackend("webgl");
    const { gl } = backendNow().gpgpu;
    const session = await virtualize(tf, { policy: "vdnn-all" });
    const stock = gl.getError;
    let checks = 0;
    // The first textures have nothing beside them that could leave.
    gl.getError = () => (++checks === REFUSED ? gl.OUT_OF_MEMORY : stock.call(gl));
    let found: number;
    try {
      found = await trainWeight();
    } finally {
      Reflect.deleteProperty(gl, "getError");
      await session.dispose();
    }
    return { isEqual: found === (await trainWeight()), warnings: session.report().warnings };
  },

  /** Loses the context while tensors are away, trains, ends the session and begins another. Nothing works on WebGL afterwards. */
  async trainWithoutContext(): Promise<readonly Refusal[]> {
    await startBackend("webgl");
    const session = await virtualize(tf, { policy: "vdnn-all", adversarial: true });
    const weight = tf.tidy(() => tf.variable(tf.add(tf.ones([64, 64]), 0.5)));
    const optimizer = tf.train.sgd(0.25);
    const step = async (): Promise<unknown> => optimizer.minimize(() => tf.sum(tf.square(tf.tanh(weight))));
    await step();
    const extension = (backendNow().gpgpu.gl as unknown as Losable).getExtension("WEBGL_lose_context");
    extension.loseContext();
    const refusals = [await refusalOf(step)];
    await session.dispose();
    return [...refusals, await refusalOf(() => virtualize(tf, {}))];
  },
};

const REFUSED = 8;

interface Losable {
  getExtension(name: string): { loseContext(): void };
}

/** NaNs with payloads, quiet and signalling, of both signs; zeros, denormal numbers, infinities, and ordinary numbers. */
const BITS = [
  0x7fc00001, 0xffc12345, 0x7f800001, 0xffbfffff, 0x80000000, 0, 1, 0x807fffff, 0x7f800000, 0xff800000, 0x3f800000,
  0xc2f6e979,
];

function backendNow(): WebGlBackend & { unpackTensor(input: object): object } {
  return tf.backend() as never;
}

function texelsOf(dataId: DataId, bytes: number): string {
  const backend = backendNow();
  const { texture } = backend.texData.get(dataId);
  const host = new Uint8Array(bytes);
  readTexels(backend, texture as NonNullable<typeof texture>, host);
  return new Uint32Array(host.buffer).join();
}

/** All textures that TensorFlow.js has lent out. */
function usedBytes(): number {
  const { usedTextures } = backendNow().textureManager;
  let bytes = 0;
  for (const [key, textures] of Object.entries(usedTextures)) {
    const texelBytes = key.split("_")[2] === "3" ? 16 : 4;
    for (const { texShape } of textures) bytes += texShape[0] * texShape[1] * texelBytes;
  }
  return bytes;
}

/** Two steps on a weight that is larger than what goes unchecked. Returns its sum. */
async function trainWeight(): Promise<number> {
  const weight = tf.tidy(() => tf.variable(tf.add(tf.ones([1024, 512]), 0.5)));
  const optimizer = tf.train.sgd(0.25);
  try {
    const loss = (): tf.Scalar => {
      let y: tf.Tensor = weight;
      for (let layer = 0; layer < 8; layer++) y = tf.tanh(y);
      return tf.sum(tf.square(y));
    };
    for (let step = 0; step < 2; step++) optimizer.minimize(loss);
    const sum = tf.sum(weight);
    const [value = Number.NaN] = await sum.data();
    sum.dispose();
    return value;
  } finally {
    weight.dispose();
    optimizer.dispose();
  }
}

async function refusalOf(action: () => Promise<unknown>): Promise<Refusal> {
  try {
    await action();
  } catch (error) {
    const { code, message } = error as Refusal;
    return { code, message };
  }
  return { code: "none", message: "it was not refused" };
}
