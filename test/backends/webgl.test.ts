/** The `webgl` adapter on a backend of this file: what a browser's device does when a test wants it to. */
import { expect, test } from "vitest";
import { webglAdapter } from "../../src/backends/webgl.ts";
import { TextureRefused } from "../../src/backends/webgl-pool.ts";
import type { Engine, EngineBackend } from "../../src/runtime/engine.ts";

interface FakeRecord {
  readonly texture: { readonly texture: object; readonly texShape: readonly [number, number] };
}

/** One texture of 16 x 16 floats, and whatever is asked for while `refusals` are used up. */
function fakeBackend() {
  const records = new Map<object, unknown>();
  const texture = () => ({ texture: {}, texShape: [16, 16] as const });
  const state = { refusals: 0, written: [] as number[] };
  const gl = {
    isContextLost: () => false,
    bindTexture: () => undefined,
    texSubImage2D: (...request: readonly unknown[]) => state.written.push((request.at(-1) as Float32Array)[0] ?? 0),
  };
  const backend = {
    texData: records,
    gpgpu: { gl },
    acquireTexture() {
      if (state.refusals-- > 0) throw new TextureRefused("refused by a test");
      return texture();
    },
    disposeData: (dataId: object) => records.delete(dataId),
  };
  const dataId = {};
  records.set(dataId, { shape: [256], dtype: "float32", texture: texture(), texShape: [16, 16], refCount: 1 });
  return { backend: backend as unknown as EngineBackend, records, state, dataId };
}

const ENV = { getNumber: () => 2, getBool: () => true };

test("a texture that is refused when its tensor comes back can be asked for again", () => {
  const { backend, records, state, dataId } = fakeBackend();
  const adapter = webglAdapter(backend, { ENV } as unknown as Engine);
  const host = new Uint8Array(new Float32Array(256).fill(7).buffer);
  const comeBack = () => adapter.copyIn(dataId, host, [256], "float32", 1);
  adapter.release(dataId);
  state.refusals = 1;
  expect(comeBack).toThrow(TextureRefused);
  comeBack();
  expect(state.written).toEqual([7]);
  expect((records.get(dataId) as FakeRecord).texture.texShape).toEqual([16, 16]);
});
