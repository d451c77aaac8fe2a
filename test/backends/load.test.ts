/** Choosing and starting a backend. What needs the native addon is in test/native. */
import { execFileSync } from "node:child_process";
import { beforeAll, describe, expect, it } from "vitest";
import {
  BACKENDS,
  type BackendName,
  type BackendProbe,
  loadTensorFlow,
  probeBackends,
} from "../../src/backends/load.ts";

describe("loadTensorFlow", () => {
  it("starts the wasm backend, and it multiplies", async () => {
    const { tf, backend, packageName } = await loadTensorFlow("wasm");
    expect({ backend, packageName }).toEqual({ backend: "wasm", packageName: "@tensorflow/tfjs-backend-wasm" });
    expect(tf.getBackend()).toBe("wasm");
    expect([...tf.matMul(tf.ones([2, 3]), tf.ones([3, 2])).dataSync()]).toEqual([3, 3, 3, 3]);
  });

  it("leaves no handlers for uncaught errors behind", async () => {
    const before = process.listenerCount("uncaughtException");
    await loadTensorFlow("wasm");
    expect(process.listenerCount("uncaughtException")).toBe(before);
  });

  it("prints no advertisement when the cpu backend is first used", () => {
    const script = `
      import { loadTensorFlow } from "./src/backends/load.ts";
      const { tf } = await loadTensorFlow("cpu");
      console.log(tf.add([1], [2]).dataSync()[0]);`;
    const args = ["--import", "tsx", "--input-type=module", "-e", script];
    expect(execFileSync(process.execPath, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] })).toBe(
      "3\n",
    );
  });

  it("names the backends there are when it does not know one", async () => {
    await expect(loadTensorFlow("webgl" as BackendName)).rejects.toMatchObject({
      code: "ERR_BACKEND",
      message: "unknown backend webgl; expected one of tensorflow, wasm, webgpu, cpu",
    });
  });
});

describe("probeBackends", () => {
  let probes: BackendProbe[];

  beforeAll(async () => {
    probes = await probeBackends();
  });

  it("reports every backend, fastest first", () => {
    expect([...new Set(probes.map(({ backend }) => backend))]).toEqual([...BACKENDS]);
  });

  it("finds wasm and cpu working wherever the dependencies are installed", () => {
    for (const backend of ["wasm", "cpu"]) {
      expect(probes.find((probe) => probe.backend === backend)).toMatchObject({ works: true });
    }
  });

  it("gives a reason and a remedy for what does not work", () => {
    for (const { works, reason, remedy } of probes) {
      if (works) continue;
      expect(reason).toMatch(/\w/);
      expect(remedy).toMatch(/^npm (run native|ci|install webgpu)|^install a Vulkan driver/);
    }
  });
});
