/** How a page's TensorFlow.js gets its backend, with one that only remembers. Browsers: test/browser/load.test.ts. */
import { expect, test } from "vitest";
import { loadTensorFlow } from "../../src/backends/load-browser.ts";
import type { TensorFlow } from "../../src/runtime/engine.ts";

test("a backend that does not start leaves TensorFlow.js with the one before", async () => {
  let current = "cpu";
  // As TensorFlow.js does, it names the new one before it knows whether that starts.
  const setBackend = (name: string): Promise<boolean> => {
    current = name;
    return Promise.resolve(name === "cpu");
  };
  const tf = { getBackend: () => current, setBackend, findBackendFactory: () => () => null };
  const loading = loadTensorFlow("webgl", { tf: tf as unknown as TensorFlow });
  await expect(loading).rejects.toMatchObject({ code: "ERR_BACKEND", message: expect.stringContaining("no WebGL") });
  expect(current).toBe("cpu");
});
