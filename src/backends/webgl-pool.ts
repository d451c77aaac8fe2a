/**
 * Texture memory under a limit. TF.js's WebGL backend keeps every freed texture for the next tensor of exactly its size and layout,
 * so what is allocated only grows. Here nothing is allocated that would exceed the limit: kept textures of other sizes are deleted
 * first, the size unused longest ago before others; then tensors leave.
 *
 * Invariant: `allocatedBytes` is the size of all textures that the backend has made and not deleted.
 */
import { formatBytes, MIB } from "../units.ts";
import type { DeviceBound } from "./adapter.ts";
import {
  bytesCounted,
  bytesUnder,
  refuseLost,
  type Texture,
  textureFor,
  type TextureManager,
  type WebGlBackend,
} from "./webgl-device.ts";

/** Asking WebGL for errors waits for the graphics process, so it is done for large textures only. */
const CHECKED_BYTES = MIB;

export class TextureRefused extends Error {}

export class WebGlPool {
  readonly #backend: WebGlBackend;
  readonly #bound: DeviceBound;
  readonly #stock: Pick<TextureManager, "acquireTexture">;
  readonly #delete: (texture: object) => void;
  readonly #bytes = new WeakMap<object, number>();
  readonly #lastUse = new Map<string, number>();
  #allocatedBytes = 0;
  #peakBytes = 0;
  #ticks = 0;

  constructor(backend: WebGlBackend, bound: DeviceBound) {
    const { gpgpu, textureManager } = backend;
    this.#backend = backend;
    this.#bound = bound;
    this.#stock = { acquireTexture: textureManager.acquireTexture.bind(textureManager) };
    this.#delete = gpgpu.deleteMatrixTexture.bind(gpgpu);
    for (const lists of [textureManager.usedTextures, textureManager.freeTextures]) {
      for (const [key, textures] of Object.entries(lists)) {
        for (const texture of textures) this.#made(texture, bytesUnder(key, texture));
      }
    }
  }

  get allocatedBytes(): number {
    return this.#allocatedBytes;
  }

  /** The most that was allocated since the session began. */
  get peakBytes(): number {
    return this.#peakBytes;
  }

  /** Starts watching the backend's textures. */
  install(): void {
    const { gpgpu, textureManager } = this.#backend;
    textureManager.acquireTexture = (shape, usage, isPacked) => this.#acquire(shape, usage, isPacked);
    gpgpu.deleteMatrixTexture = (texture) => {
      this.#delete(texture);
      this.#allocatedBytes -= this.#bytes.get(texture) ?? 0;
    };
    this.#trim(0);
  }

  uninstall(): void {
    const { gpgpu, textureManager } = this.#backend;
    Reflect.deleteProperty(gpgpu, "deleteMatrixTexture");
    Reflect.deleteProperty(textureManager, "acquireTexture");
  }

  #acquire(...request: Parameters<TextureManager["acquireTexture"]>): Texture {
    const { gpgpu, textureManager } = this.#backend;
    refuseLost(gpgpu.gl);
    const { key, bytes } = textureFor(...request);
    this.#lastUse.set(key, ++this.#ticks);
    const hasFree = (): boolean => (textureManager.freeTextures[key]?.length ?? 0) > 0;
    if (!hasFree()) this.#trim(bytes);
    while (!hasFree() && this.#exceeds(bytes)) {
      this.#bound.release(this.#allocatedBytes + bytes - this.#bound.limitBytes());
      if (!hasFree()) this.#trim(bytes);
    }
    if (hasFree()) return this.#stock.acquireTexture(...request);
    const texture = this.#stock.acquireTexture(...request);
    this.#made(texture, bytes);
    if (bytes >= CHECKED_BYTES) this.#check(key, texture, bytes);
    return texture;
  }

  #made({ texture }: Texture, bytes: number): void {
    this.#bytes.set(texture, bytes);
    this.#allocatedBytes += bytes;
    this.#peakBytes = Math.max(this.#peakBytes, this.#allocatedBytes);
  }

  /** @throws TextureRefused for a texture that got no memory, which is gone then */
  #check(key: string, texture: Texture, bytes: number): void {
    const { gl } = this.#backend.gpgpu;
    const error = gl.getError();
    refuseLost(gl);
    if (error !== gl.OUT_OF_MEMORY) return;
    const { textureManager } = this.#backend;
    const used = textureManager.usedTextures[key];
    used?.splice(used.indexOf(texture), 1);
    textureManager.numUsedTextures--;
    this.#forget(key, texture);
    throw new TextureRefused(`WebGL refused a texture of ${formatBytes(bytes)}`);
  }

  #exceeds(bytes: number): boolean {
    return this.#allocatedBytes + bytes > this.#bound.limitBytes();
  }

  /** Deletes kept textures until `bytes` more fit, or none is kept. */
  #trim(bytes: number): void {
    if (!this.#exceeds(bytes)) return;
    const { textureManager } = this.#backend;
    const age = ([key]: readonly [string, unknown]): number => this.#lastUse.get(key) ?? 0;
    for (const [key, textures] of Object.entries(textureManager.freeTextures).toSorted((a, b) => age(a) - age(b))) {
      for (let texture = textures.pop(); texture !== undefined; texture = textures.pop()) {
        textureManager.numFreeTextures--;
        textureManager._numBytesFree -= bytesCounted(key);
        this.#forget(key, texture);
        if (!this.#exceeds(bytes)) return;
      }
    }
  }

  #forget(key: string, { texture }: Texture): void {
    const { gpgpu, textureManager } = this.#backend;
    gpgpu.deleteMatrixTexture(texture);
    textureManager._numBytesAllocated -= bytesCounted(key);
  }
}
