/**
 * The inside of TF.js's WebGL backend, as far as vdnn touches it, and the copies between a texture and host memory.
 *
 * A tensor is first a JavaScript array; the first kernel that reads it on the GPU makes its texture, in the layout that this
 * kernel wants. Unpacked textures hold an element per texel, packed ones four: two rows by two columns, padded to even numbers. What
 * TF.js does with a tensor afterwards depends on all of that, so a copy carries the texels as they are, padding included, and the
 * tensor returns to a texture of the same layout.
 */
import { VdnnError } from "../errors.ts";
import {
  type DataId,
  type DataStorage,
  type DType,
  type EngineBackend,
  type TensorInfo,
  viewAs,
} from "../runtime/engine.ts";

export interface Texture {
  readonly texture: object;
  /** Height and width in texels. */
  readonly texShape: readonly [number, number];
}

/** What a texture is for; null and `render` are the same. */
export const USAGE = { render: 0, upload: 1, pixels: 2, download: 3 } as const;

/** How a tensor lies in its texture. */
export interface Layout {
  readonly shape: number[];
  readonly dtype: DType;
  /** Rows and columns of elements. */
  readonly texShape: readonly [number, number];
  readonly isPacked: boolean | undefined;
  readonly usage: number | null | undefined;
}

export interface WebGlRecord extends Omit<Layout, "texShape"> {
  readonly texShape?: readonly [number, number] | null;
  texture?: Texture | null;
  /** The texture is that of another tensor, which this one sees from an offset on. */
  readonly slice?: { readonly origDataId: DataId } | null;
  refCount: number;
}

/** A shader that TF.js compiles: one output, computed per element. */
export interface Program {
  readonly variableNames: readonly string[];
  readonly outputShape: readonly number[];
  readonly userCode: string;
}

export interface Gl {
  readonly TEXTURE_2D: number;
  readonly RED: number;
  readonly RGBA: number;
  readonly FLOAT: number;
  readonly IMPLEMENTATION_COLOR_READ_FORMAT: number;
  readonly IMPLEMENTATION_COLOR_READ_TYPE: number;
  readonly OUT_OF_MEMORY: number;
  bindTexture(target: number, texture: object | null): void;
  texSubImage2D(
    target: number,
    level: number,
    x: number,
    y: number,
    width: number,
    height: number,
    format: number,
    type: number,
    texels: Float32Array,
  ): void;
  readPixels(x: number, y: number, width: number, height: number, format: number, type: number, to: Float32Array): void;
  getParameter(name: number): unknown;
  getError(): number;
  isContextLost(): boolean;
}

export interface GpgpuContext {
  readonly gl: Gl;
  bindTextureToFrameBuffer(texture: object): void;
  unbindTextureToFrameBuffer(): void;
  deleteMatrixTexture(texture: object): void;
}

/** Keeps every released texture for the next tensor of exactly its size and kind. */
export interface TextureManager {
  readonly freeTextures: Record<string, Texture[]>;
  readonly usedTextures: Record<string, Texture[]>;
  numFreeTextures: number;
  numUsedTextures: number;
  _numBytesFree: number;
  _numBytesAllocated: number;
  acquireTexture(
    shape: readonly [number, number],
    usage: number | null | undefined,
    isPacked: boolean | undefined,
  ): Texture;
}

export interface WebGlBackend extends EngineBackend {
  readonly texData: DataStorage<WebGlRecord>;
  readonly gpgpu: GpgpuContext;
  readonly textureManager: TextureManager;
  /** Tensors that share a texture, where they are several. */
  readonly dataRefCount: WeakMap<DataId, number>;
  readonly pendingRead: WeakMap<DataId, unknown>;
  numBytesInGPU: number;
  acquireTexture(
    shape: readonly [number, number],
    usage: number | null | undefined,
    dtype: DType,
    isPacked: boolean | undefined,
  ): Texture;
  computeBytes(shape: readonly [number, number], dtype: DType): number;
  /** Makes the texture of a tensor that has none. */
  uploadToGPU(dataId: DataId): void;
  runWebGLProgram(program: Program, inputs: readonly TensorInfo[], dtype: DType): TensorInfo;
}

/** TF.js's numbers for the kinds of texture that there are with 32-bit floats. */
const KIND = { float: 1, bytes: 2, packedFloat: 3 } as const;
const TEXEL_BYTES: Readonly<Record<string, number>> = { [KIND.float]: 4, [KIND.bytes]: 4, [KIND.packedFloat]: 16 };

/** Kind and bytes of the texture that TF.js makes for a request, and the key under which it keeps it. */
export function textureFor(
  [rows, columns]: readonly [number, number],
  usage: number | null | undefined,
  isPacked: boolean | undefined,
): { readonly key: string; readonly bytes: number } {
  const kind = kindOf(usage, isPacked);
  const texels = kind === KIND.packedFloat ? half(rows) * half(columns) : rows * columns;
  return { key: `${rows}_${columns}_${kind}_${isPacked}`, bytes: texels * (TEXEL_BYTES[kind] ?? 0) };
}

/** Bytes of a texture that the manager keeps under a key. */
export function bytesUnder(key: string, { texShape: [height, width] }: Texture): number {
  return height * width * (TEXEL_BYTES[key.split("_")[2] ?? ""] ?? 0);
}

/** What TF.js itself counts for it: four times as much for what it uploads through. */
export function bytesCounted(key: string): number {
  const [rows = 0, columns = 0, kind = 0] = key.split("_").map(Number);
  return (key.endsWith("_true") ? half(rows) * half(columns) : rows * columns) * (TEXEL_BYTES[kind] ?? 0);
}

/** Bytes of the texture that a record owns: none before its upload, or while it sees another's. */
export function ownedBytes({ texture, slice, usage, isPacked }: WebGlRecord): number {
  if ((texture ?? null) === null || (slice ?? null) !== null) return 0;
  const [height, width] = (texture as Texture).texShape;
  return height * width * (TEXEL_BYTES[kindOf(usage, isPacked)] ?? 0);
}

/** The record owns a texture that `readTexels` reads: of floats, not of the bytes that images go through. */
export function ownsFloats(record: WebGlRecord): boolean {
  return ownedBytes(record) > 0 && kindOf(record.usage, record.isPacked) !== KIND.bytes;
}

function kindOf(usage: number | null | undefined, isPacked: boolean | undefined): number {
  if (usage === USAGE.upload) return KIND.packedFloat;
  if (usage === USAGE.pixels || usage === USAGE.download) return KIND.bytes;
  return isPacked === true ? KIND.packedFloat : KIND.float;
}

function half(length: number): number {
  return Math.max(1, Math.ceil(length / 2));
}

/** The texels of a texture, to host memory of exactly their size. Waits for every kernel so far. */
export function readTexels({ gpgpu }: WebGlBackend, { texture, texShape }: Texture, host: Uint8Array): void {
  const { gl } = gpgpu;
  const [height, width] = texShape;
  const texels = viewAs("float32", host) as Float32Array;
  refuseLost(gl);
  gpgpu.bindTextureToFrameBuffer(texture);
  try {
    if (texels.length === 4 * height * width) gl.readPixels(0, 0, width, height, gl.RGBA, gl.FLOAT, texels);
    else if (readsRed(gl)) gl.readPixels(0, 0, width, height, gl.RED, gl.FLOAT, texels);
    else {
      const wide = new Float32Array(4 * texels.length);
      gl.readPixels(0, 0, width, height, gl.RGBA, gl.FLOAT, wide);
      const words = new Uint32Array(wide.buffer);
      // As integers, because a NaN may lose bits on its way through a JavaScript number.
      new Uint32Array(texels.buffer, texels.byteOffset, texels.length).set(words.filter((_, i) => i % 4 === 0));
    }
  } finally {
    gpgpu.unbindTextureToFrameBuffer();
  }
  refuseLost(gl);
}

/** Of contexts whose answer is known: asking again would wait for the graphics process. */
const redReaders = new WeakMap<Gl, boolean>();

/** The formats that every device reads have four channels; most read one channel as well. */
function readsRed(gl: Gl): boolean {
  const known = redReaders.get(gl);
  if (known !== undefined) return known;
  const reads =
    gl.getParameter(gl.IMPLEMENTATION_COLOR_READ_FORMAT) === gl.RED &&
    gl.getParameter(gl.IMPLEMENTATION_COLOR_READ_TYPE) === gl.FLOAT;
  redReaders.set(gl, reads);
  return reads;
}

/** Fills a texture with texels that `readTexels` read. */
export function writeTexels({ gpgpu: { gl } }: WebGlBackend, { texture, texShape }: Texture, host: Uint8Array): void {
  const [height, width] = texShape;
  const texels = viewAs("float32", host) as Float32Array;
  const format = texels.length === 4 * height * width ? gl.RGBA : gl.RED;
  gl.bindTexture(gl.TEXTURE_2D, texture);
  gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, width, height, format, gl.FLOAT, texels);
  gl.bindTexture(gl.TEXTURE_2D, null);
}

/** A lost context answers every read with zeros. @throws VdnnError `ERR_BACKEND` */
export function refuseLost(gl: Gl): void {
  if (!gl.isContextLost()) return;
  throw new VdnnError(
    "ERR_BACKEND",
    "the WebGL context was lost, and its tensors are gone: reload the page or set the backend up again, with a lower device budget " +
      "if it was memory that ran out",
    { backend: "webgl" },
  );
}
