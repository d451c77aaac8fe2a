/**
 * The `webgl` backend of browsers. Reading a texture back blocks until the device has drawn it, so training needs no awaiting.
 * Only textures move: what was never uploaded is host memory already, and counts as nothing on the device.
 */
import { VdnnError } from "../errors.ts";
import { type DataId, type Engine, type EngineBackend, type TensorInfo } from "../runtime/engine.ts";
import { type DeviceAdapter, isCastToSame } from "./adapter.ts";
import { estimateBytes } from "./estimate.ts";
import {
  type Layout,
  ownedBytes,
  ownsFloats,
  readTexels,
  refuseLost,
  textureFor,
  type WebGlBackend,
  type WebGlRecord,
  writeTexels,
} from "./webgl-device.ts";
import { TextureRefused, WebGlPool } from "./webgl-pool.ts";
import { copySlices } from "./webgl-slices.ts";

/** TF.js runs kernels on fewer than 128 elements on the processor where it can; such tensors are not worth a copy that blocks. */
const SMALLEST_BYTES = 512;

/** @throws VdnnError `ERR_BACKEND` where textures do not hold 32-bit floats, WebGL is of the first version, or its context is lost */
export function webglAdapter(engineBackend: EngineBackend, engine: Engine): DeviceAdapter {
  const backend = engineBackend as WebGlBackend;
  refuseLost(backend.gpgpu.gl);
  refuseHalfFloats(engine);
  const storage = backend.texData;
  /** Of what is away: how it lay in its texture. */
  const layouts = new WeakMap<DataId, Layout>();
  let pool: WebGlPool | null = null;

  return {
    name: "webgl",
    backend,
    storage,
    copiesAreOpaque: true,
    sharesInput: () => false,
    estimateBytes,
    isOutOfMemory: (error) => error instanceof TextureRefused,
    passesThrough(kernel, input, attributes) {
      return kernel === "Identity" || isCastToSame(kernel, input, attributes) || isFreeReshape(backend, kernel, input);
    },
    mend: (tf) => copySlices(tf, backend),
    announce: (before) => announce(backend, before),
    describe(record) {
      const { shape, dtype } = record as WebGlRecord;
      if (dtype === "string" || dtype === "complex64") return null;
      return { shape, dtype, bytes: ownedBytes(record as WebGlRecord) };
    },
    isReleasable(dataId) {
      if (!storage.has(dataId)) return true;
      const isShared = (backend.dataRefCount.get(dataId) ?? 1) > 1;
      return ownsFloats(storage.get(dataId)) && !isShared && !backend.pendingRead.has(dataId);
    },
    copyOut(dataId, host) {
      readTexels(backend, textureOf(storage.get(dataId)), host);
    },
    copyIn(dataId, host, _shape, _dtype, refCount) {
      const layout = layouts.get(dataId);
      if (layout === undefined) throw new Error("the tensor was never on the device");
      const { texShape, usage, dtype, isPacked } = layout;
      // So that a session can end without its device.
      if (backend.gpgpu.gl.isContextLost()) {
        storage.set(dataId, { ...layout, texShape: null, refCount });
        return;
      }
      const texture = backend.acquireTexture(texShape, usage, dtype, isPacked);
      writeTexels(backend, texture, host);
      storage.set(dataId, { ...layout, texture, refCount });
    },
    release(dataId) {
      const { shape, dtype, texShape, isPacked, usage, refCount } = storage.get(dataId);
      if (texShape !== undefined && texShape !== null) layouts.set(dataId, { shape, dtype, texShape, isPacked, usage });
      backend.disposeData(dataId, true);
      return refCount;
    },
    adopt(dataId, from, _shape, _dtype, refCount) {
      const record = storage.get(from);
      storage.delete(from);
      storage.set(dataId, { ...record, refCount });
    },
    alias() {
      throw new Error("webgl shares textures under one dataId");
    },
    allocator: {
      reservedBytes: 0,
      smallestBytes: SMALLEST_BYTES,
      get allocatedBytes() {
        return pool?.allocatedBytes ?? 0;
      },
      get peakAllocatedBytes() {
        return pool?.peakBytes ?? 0;
      },
      bound(limits) {
        const mine = new WebGlPool(backend, limits);
        mine.install();
        pool = mine;
        return () => mine.uninstall();
      },
    },
  };
}

function refuseHalfFloats({ ENV }: Engine): void {
  const version = ENV.getNumber("WEBGL_VERSION");
  if (version === 2 && ENV.getBool("WEBGL_RENDER_FLOAT32_ENABLED")) return;
  const why = version === 2 ? "its textures hold 16-bit floats only" : `it has WebGL ${version}`;
  throw new VdnnError(
    "ERR_BACKEND",
    `webgl cannot be virtualized on this device: ${why}; expected WebGL 2 that renders to 32-bit floats ` +
      '(use tf.setBackend("wasm") or "webgpu", and leave WEBGL_FORCE_F16_TEXTURES off)',
    { backend: "webgl", webglVersion: version },
  );
}

function textureOf({ texture }: WebGlRecord): NonNullable<WebGlRecord["texture"]> {
  if (texture === undefined || texture === null) throw new Error("the tensor has no texture");
  return texture;
}

/** Reshapes of packed textures may have to draw them anew. */
function isFreeReshape({ texData }: WebGlBackend, kernel: string, { dataId }: TensorInfo): boolean {
  return (
    (kernel === "Reshape" || kernel === "ExpandDims") && texData.has(dataId) && texData.get(dataId).isPacked !== true
  );
}

/** A tensor has no bytes when it is registered; its texture is made when a kernel reads or writes it first. */
function announce(backend: WebGlBackend, before: (bytes: number) => void): () => void {
  const acquireTexture = backend.acquireTexture.bind(backend);
  const uploadToGPU = backend.uploadToGPU.bind(backend);
  backend.acquireTexture = (shape, usage, dtype, isPacked) => {
    before(textureFor(shape, usage, isPacked).bytes);
    try {
      return acquireTexture(shape, usage, dtype, isPacked);
    } catch (error) {
      // TF.js has counted it already.
      backend.numBytesInGPU -= backend.computeBytes(shape, dtype);
      throw error;
    }
  };
  backend.uploadToGPU = (dataId) => {
    const record = backend.texData.get(dataId);
    const hadTexture = (record.texture ?? null) !== null;
    uploadToGPU(dataId);
    if (!hadTexture) backend.texData.set(dataId, record);
  };
  return () => {
    Reflect.deleteProperty(backend, "uploadToGPU");
    Reflect.deleteProperty(backend, "acquireTexture");
  };
}
