/** A page without a bundler: TensorFlow.js from script tags, vdnn as it is published for that. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import * as path from "node:path";
import { build, type Rolldown } from "vite";
import { beforeAll, expect, it } from "vitest";
import { describeInBrowser } from "./support/describe.ts";

const PAGE = `<!doctype html>
<script src="/script/tfjs/dist/tf.min.js"></script>
<script src="/script/tfjs-backend-webgpu/dist/tf-backend-webgpu.min.js"></script>
<script src="/script/tfjs-backend-wasm/dist/tf-backend-wasm.min.js"></script>
<script type="module">
  import * as vdnn from "/script/vdnn.min.js";
  Object.assign(globalThis, { vdnn });
</script>`;

/** Blobs may not become workers here. */
const STRICT = "worker-src 'self'";

describeInBrowser("a page without a bundler", (browser) => {
  let policy = "";
  /** Files of vdnn that the page asked for. */
  const loaded: string[] = [];
  beforeAll(async () => {
    const result = (await build({ configFile: "vite.config.ts", logLevel: "silent", build: { write: false } })) as
      | Rolldown.RolldownOutput
      | Rolldown.RolldownOutput[];
    const files = new Map([result].flat()[0]!.output.map((file) => [file.fileName, "code" in file ? file.code : ""]));
    const require = createRequire(import.meta.url);
    const folder = path.dirname(path.dirname(require.resolve("@tensorflow/tfjs/package.json")));
    await browser().page.route("**/script/**", async (route) => {
      const name = new URL(route.request().url()).pathname.replace("/script/", "");
      if (files.has(name)) loaded.push(name);
      const body = files.get(name) ?? (await readFile(path.join(folder, name)));
      await route.fulfill({ contentType: "text/javascript", body });
    });
    await browser().page.route("**/plain.html", (route) =>
      route.fulfill({ contentType: "text/html", body: PAGE, headers: { "content-security-policy": policy } }),
    );
  });

  async function open(): Promise<void> {
    loaded.length = 0;
    await browser().page.goto(new URL("/plain.html", browser().page.url()).href);
    await browser().page.waitForFunction("globalThis.vdnn !== undefined");
  }

  /** A step under a budget, on the backend that `loadTensorFlow` finds. */
  const step = (options: string, backend: string) => `(async () => {
    const { backend } = await vdnn.loadTensorFlow(${backend}, { tf, wasmPaths: "/wasm/" });
    const session = await vdnn.virtualize(tf, ${options});
    const w = tf.variable(tf.ones([64, 64]));
    const loss = () => tf.mean(tf.square(tf.matMul(w, w)));
    await session.minimize(tf.train.sgd(0.01), loss, false, [w]);
    const [first] = await w.data();
    await session.dispose();
    w.dispose();
    return { backend, first };
  })().catch(({ code, message }) => ({ code, message }))`;

  it("trains on webgpu from one file, and loads more for a spill tier, for a history and for wasm", async () => {
    await open();
    const onGpu = await browser().page.evaluate(step(`{ deviceMemory: "64MiB" }`, "undefined"));
    expect(onGpu).toMatchObject({ backend: "webgpu", first: expect.any(Number) });
    expect(loaded).toEqual(["vdnn.min.js"]);
    const spilling = await browser().page.evaluate(step(`{ deviceMemory: "64MiB", spill: true }`, "undefined"));
    expect(spilling).toEqual(onGpu);
    expect(loaded).toEqual(["vdnn.min.js", "vdnn.origin-vault.min.js"]);
    await browser().page.evaluate(step(`{ history: true }`, "undefined"));
    expect(loaded).toEqual(["vdnn.min.js", "vdnn.origin-vault.min.js", "vdnn.tracer.min.js"]);
    const onWasm = await browser().page.evaluate(step(`{ deviceMemory: "64MiB" }`, `"wasm"`));
    expect(onWasm).toMatchObject({ backend: "wasm", first: expect.any(Number) });
  });

  it("says that it needs the page's TensorFlow.js", async () => {
    await open();
    const load = `vdnn.loadTensorFlow().catch(({ code, message }) => ({ code, message }))`;
    expect(await browser().page.evaluate(load)).toMatchObject({
      code: "ERR_BACKEND",
      message: expect.stringContaining("option `tf`"),
    });
  });

  it("says what the content security policy must allow for a spill tier", async () => {
    policy = STRICT;
    await open();
    expect(await browser().page.evaluate(step(`{ spill: true }`, `"webgpu"`))).toMatchObject({
      code: "ERR_SPILL",
      message: expect.stringContaining("worker-src blob:"),
    });
  });
});
